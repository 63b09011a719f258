"""Every command on the company, carried out: people, teams, lists and rules.

The same caller with the same idempotency key gets the same command id, hence at most one effect
and the same answer, whatever the facts have become since (P2), as with leads.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Any, Protocol
from uuid import UUID, uuid4, uuid5

from aggregates.directory.owners import OWNING_ROLES, may_own, require_owner
from aggregates.directory.register import BY_RULE, ROLES
from aggregates.directory.state import Person
from aggregates.event import Event, Meta
from aggregates.refusal import Refusal
from commands.caller import Caller
from commands.company import people, policies, references, teams
from commands.company.people import AddPerson, ChangePerson, DeactivatePerson
from commands.company.policies import ActivatePolicy
from commands.company.rule_targets import dropped_pools
from commands.company.teams import AddTeam
from commands.company.wiring import Facts, Kind, Subject, Wiring
from commands.fields import Command
from commands.hand_over import HandedOver
from commands.holidays import Holidays
from commands.leads import COMMANDS
from commands.loop import (
    CommandLoop,
    Decide,
    Held,
    Intent,
    Reply,
    VersionMismatch,
    refusing,
)
from commands.policy_documents import load
from commands.ports import Clock, EventLog, Unavailable
from commands.register import Register, Registry

WIRING: Mapping[type[Command], Wiring] = {
    **people.WIRING,
    **teams.WIRING,
    **references.WIRING,
    **policies.WIRING,
}

ADMINISTRATORS = blake2b(b"administrators", digest_size=16).digest()
WITHOUT_LEADS = frozenset(ROLES) - OWNING_ROLES


class HandOver(Protocol):
    """Gives a leaver's leads to others."""

    async def of_person(
        self, person: str, to: str | None, caller: Caller, reason: str | None = None
    ) -> HandedOver:
        """Hand every open lead of a person over to another one, or by rule (None)."""
        ...


@dataclass(frozen=True, slots=True)
class Leavers:
    """What has to be done about people who leave (R102, R103).

    `open_leads(person)`: how many they own, as of the log's end; `end_access(person)` revokes what
    lets them in. `in_pools()`: how many open leads lie in each pool, as of the log's end.
    """

    open_leads: Callable[[str], Awaitable[int]]
    in_pools: Callable[[], Awaitable[Mapping[str, int]]]
    end_access: Callable[[str], Awaitable[object]]
    hand_over: HandOver


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, and under which conditions: `key` makes a command repeatable, `expected_version`
    is what its subject must have.
    """

    caller: Caller
    key: str | None = None
    expected_version: int | None = None

    def command_id(self) -> UUID:
        """The same for the same caller and key."""
        return uuid5(COMMANDS, f"{self.caller.actor}\n{self.key}") if self.key else uuid4()


class DirectoryCommands:
    """Carries the commands of `WIRING` out. `key`: 1 to 64 secret bytes for hashes."""

    def __init__(
        self,
        log: EventLog,
        registry: Registry,
        clock: Clock,
        key: bytes,
        leavers: Leavers,
        holidays: Holidays,
    ) -> None:
        kinds = {wiring.kind for wiring in WIRING.values()}
        self._loops: dict[Kind[Any], CommandLoop[Any]] = {
            kind: CommandLoop(log, kind.initial, kind.evolve) for kind in kinds
        }
        self._log = log
        self._registry = registry
        self._clock = clock
        self._hash = partial(blake2b, key=key, digest_size=16)
        self._leavers = leavers
        self._holidays = holidays

    async def execute(self, command: Command, subject: Subject, request: Request) -> Reply[Any]:
        """Carry a command out. Raises Refusal, VersionMismatch, CommandReused or Unavailable."""
        register = await self._registry.latest()
        if isinstance(command, DeactivatePerson):
            reply = await self._deactivate(command, subject, register, request)
        else:
            facts = Facts(self._clock.now(), subject, register, holidays=self._holidays)
            reply = await self._run(command, await self._counted(command, facts), request)
        if isinstance(command, AddPerson | ChangePerson) and command.team:
            await self._know_team(command.team, register, request)
        await self._registry.latest()  # what follows in this process sees it at once
        return reply

    async def _counted(self, command: Command, facts: Facts) -> Facts:
        """The facts with the leads that the command would leave without anybody (R102)."""
        name = facts.subject.name
        match command:
            case ChangePerson(role=str(role)) if role in WITHOUT_LEADS:
                if may_own(facts.register.people.get(name, Person())):
                    return replace(facts, open_leads=await self._leavers.open_leads(name))
            case ActivatePolicy() if name == "pool":
                rules = load(name, command.document)
                if rules and dropped_pools(rules, facts.register):
                    return replace(facts, in_pools=await self._leavers.in_pools())
            case _:
                pass
        return facts

    async def knows(self, request: Request) -> bool:
        """Whether its key was used before: then a command has no effect any more."""
        return request.key is not None and await self._log.find(request.command_id()) is not None

    async def _deactivate(
        self, command: DeactivatePerson, subject: Subject, register: Register, request: Request
    ) -> Reply[Any]:
        """What was carried out before moves no leads again, nor ends the access of who is back."""
        kind, intent = self._intent(command, Facts(self._clock.now(), subject, register), request)
        reply = await self._loops[kind].earlier(intent)
        if reply is None:
            reply = await self._part_with(command, subject, register, request)
        person = (await self._registry.latest()).people.get(subject.name)
        if person is None or not person.active:
            await self._leavers.end_access(subject.name)
        return reply

    async def _part_with(
        self, command: DeactivatePerson, subject: Subject, register: Register, request: Request
    ) -> Reply[Any]:
        to = command.hand_over or None
        if to and to != BY_RULE:
            require_owner(register.people, to, "hand_over")
        open_leads = await self._leavers.open_leads(subject.name)
        facts = Facts(self._clock.now(), subject, register, open_leads)
        if open_leads and to:
            self._require_possible(command, replace(facts, open_leads=0), request)
            await self._give_away(command, subject.name, request)
            open_leads = await self._leavers.open_leads(subject.name)
            facts = replace(facts, open_leads=open_leads)
        return await self._run(command, facts, request)

    @staticmethod
    def _require_possible(command: DeactivatePerson, facts: Facts, request: Request) -> None:
        """Refuse what would be refused anyway before any lead changes hands."""
        person = facts.register.people.get(facts.subject.name, Person())
        expected = request.expected_version
        if expected is not None and expected != person.version:
            raise VersionMismatch(expected, person.version)
        WIRING[type(command)].judge(command, facts)(person)

    async def _run(self, command: Command, facts: Facts, request: Request) -> Reply[Any]:
        kind, intent = self._intent(command, facts, request)
        return await self._loops[kind].run(intent)

    def _intent(
        self, command: Command, facts: Facts, request: Request
    ) -> tuple[Kind[Any], Intent[Any]]:
        kind, caller = WIRING[type(command)].kind, request.caller
        return kind, Intent(
            stream=kind.stream(facts.subject),
            decide=_judged(command, facts),
            marks=_marks(command, facts),
            meta=Meta(
                caller.actor, request.command_id(), caller.correlation_id, caller.causation_id
            ),
            fingerprint=self._fingerprint(command, facts.subject),
            expected_version=request.expected_version,
            repeatable=request.key is not None,
        )

    async def _know_team(self, name: str, register: Register, request: Request) -> None:
        """A team comes into being when its first member is named."""
        if name not in register.teams:
            await self.execute(AddTeam(name=name), Subject(name), Request(request.caller))

    async def _give_away(self, command: DeactivatePerson, name: str, request: Request) -> None:
        """Hand a leaver's leads over, all of them, or say how far that went (R102, R103)."""
        to = None if command.hand_over == BY_RULE else command.hand_over
        done = await self._leavers.hand_over.of_person(
            name, to, request.caller, command.reason or None
        )
        if done.left:
            left = f"{done.number} leads were handed over, {len(done.left)} are left"
            raise Refusal("leads-remain", f"{left}: {done.left[0].why}", "hand_over")

    def _fingerprint(self, command: Command, subject: Subject) -> bytes:
        given = command.model_dump_json(exclude_unset=True)  # null says something, absence does not
        said = f"{type(command).__name__}\n{subject.of}\n{subject.name}\n{given}"
        return self._hash(said.encode()).digest()


def _judged(command: Command, facts: Facts) -> Decide[Any]:
    """What the facts refuse now they may have allowed before: the log has the last word."""
    try:
        decide = WIRING[type(command)].judge(command, facts)
    except Refusal as refusal:
        return refusing(refusal)

    def judge(state: Any, held: Held) -> Sequence[Event]:
        if any(held[mark].position > facts.register.position for mark in _marks(command, facts)):
            raise Unavailable("another administrator has just gone: try again")
        return decide(state)

    return judge


def _marks(command: Command, facts: Facts) -> tuple[bytes, ...]:
    """Whatever may take an administrator away claims one mark: two at once cannot both be the last
    but one.
    """
    takes = isinstance(command, DeactivatePerson) or (
        isinstance(command, ChangePerson) and command.role not in (None, "admin")
    )
    return (
        (ADMINISTRATORS,) if takes and facts.subject.name in facts.register.administrators else ()
    )
