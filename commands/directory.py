"""Every command on the company, carried out: people, teams, lists and rules.

The same caller with the same idempotency key gets the same command id, hence at most one effect
and the same answer (P2), as with leads.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from typing import Any, Protocol
from uuid import UUID, uuid4, uuid5

from aggregates.directory.owners import require_owner
from aggregates.directory.person import BY_RULE
from aggregates.directory.state import Person
from aggregates.event import Meta
from commands.caller import Caller
from commands.company import people, policies, references, teams
from commands.company.people import AddPerson, ChangePerson, DeactivatePerson
from commands.company.teams import AddTeam
from commands.company.wiring import Facts, Kind, Subject, Wiring
from commands.fields import Command
from commands.leads import COMMANDS
from commands.loop import CommandLoop, Intent, Reply, VersionMismatch, by_state
from commands.ports import Clock, EventLog
from commands.register import Register, Registry

WIRING: Mapping[type[Command], Wiring] = {
    **people.WIRING,
    **teams.WIRING,
    **references.WIRING,
    **policies.WIRING,
}


class HandOver(Protocol):
    """Gives a leaver's leads to others."""

    async def of_person(
        self, person: str, to: str | None, caller: Caller, reason: str | None = None
    ) -> int:
        """Hand every open lead of a person over to another one, or by rule (None); how many."""
        ...


@dataclass(frozen=True, slots=True)
class Leavers:
    """What has to be done about people who leave (R102, R103).

    `open_leads(person)`: how many they own, as of the log's end; `end_access(person)` revokes what
    lets them in.
    """

    open_leads: Callable[[str], Awaitable[int]]
    end_access: Callable[[str], Awaitable[None]]
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
    ) -> None:
        kinds = {wiring.kind for wiring in WIRING.values()}
        self._loops: dict[Kind[Any], CommandLoop[Any]] = {
            kind: CommandLoop(log, kind.initial, kind.evolve) for kind in kinds
        }
        self._registry = registry
        self._clock = clock
        self._hash = partial(blake2b, key=key, digest_size=16)
        self._leavers = leavers

    async def execute(self, command: Command, subject: Subject, request: Request) -> Reply[Any]:
        """Carry a command out. Raises Refusal, VersionMismatch, CommandReused or Unavailable."""
        register = await self._registry.latest()
        if isinstance(command, DeactivatePerson):
            reply = await self._deactivate(command, subject, register, request)
        else:
            facts = Facts(self._clock.now(), subject, register)
            reply = await self._run(command, facts, request)
        if isinstance(command, AddPerson | ChangePerson) and command.team:
            await self._know_team(command.team, register, request)
        await self._registry.latest()  # what follows in this process sees it at once
        return reply

    async def _deactivate(
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
        reply = await self._run(command, facts, request)
        await self._leavers.end_access(subject.name)
        return reply

    @staticmethod
    def _require_possible(command: DeactivatePerson, facts: Facts, request: Request) -> None:
        """Refuse what would be refused anyway before any lead changes hands."""
        person = facts.register.people.get(facts.subject.name, Person())
        expected = request.expected_version
        if expected is not None and expected != person.version:
            raise VersionMismatch(expected, person.version)
        WIRING[type(command)].judge(command, facts)(person)

    async def _run(self, command: Command, facts: Facts, request: Request) -> Reply[Any]:
        kind, judge = WIRING[type(command)]
        caller = request.caller
        return await self._loops[kind].run(
            Intent(
                stream=kind.stream(facts.subject),
                decide=by_state(judge(command, facts)),
                meta=Meta(
                    caller.actor,
                    request.command_id(),
                    caller.correlation_id,
                    caller.causation_id,
                ),
                fingerprint=self._fingerprint(command, facts.subject),
                expected_version=request.expected_version,
                repeatable=request.key is not None,
            )
        )

    async def _know_team(self, name: str, register: Register, request: Request) -> None:
        """A team comes into being when its first member is named."""
        if name not in register.teams:
            await self.execute(AddTeam(name=name), Subject(name), Request(request.caller))

    async def _give_away(self, command: DeactivatePerson, name: str, request: Request) -> None:
        """Hand a leaver's leads over (R102)."""
        to = None if command.hand_over == BY_RULE else command.hand_over
        await self._leavers.hand_over.of_person(name, to, request.caller, command.reason or None)

    def _fingerprint(self, command: Command, subject: Subject) -> bytes:
        given = command.model_dump_json(exclude_unset=True)  # null says something, absence does not
        said = f"{type(command).__name__}\n{subject.of}\n{subject.name}\n{given}"
        return self._hash(said.encode()).digest()
