"""Every command on a lead, from its checked form to the decision that judges it.

The same caller with the same idempotency key gets the same command id, hence at most one effect
and the same answer, whatever the facts have become since (P2); a new lead's id follows from its
command's. Codes are taken before the decision, so a refused command may leave a gap in the numbers.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from hashlib import blake2b, sha1
from typing import NamedTuple
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

from aggregates.directory.scope import EVERYTHING, Scope
from aggregates.event import Event, Meta
from aggregates.lead.state import Lead
from aggregates.refusal import Refusal
from aggregates.values import format_code, local_date
from commands.caller import Caller
from commands.fields import Command
from commands.lead import (
    clean_up,
    duplicates,
    entry,
    files,
    imported,
    outcome,
    ownership,
    privacy,
    work,
)
from commands.lead.wiring import Facts, Judgement, Wiring
from commands.loop import Beside, CommandLoop, Decide, Decision, Intent, Reply, refusing
from commands.marks import marker
from commands.ports import NO_WORKLOAD, Clock, Codes, Idle, Workloads
from commands.register import Registry

LEADS = UUID("5b2c1f3e-8f0e-4c39-9d3a-0f5f6f0d8a41")
COMMANDS = UUID("c8b0a3b4-1d57-4d0b-8b61-2f6d0e3a7c55")
_BELOW_COMMANDS = sha1(COMMANDS.bytes, usedforsecurity=False)


class UnknownLead(Refusal):
    """There is no such lead."""

    def __init__(self) -> None:
        super().__init__("unknown-lead", "there is no such lead")


class SharedForReading(Refusal):
    """The caller sees the lead by a share, which is for reading (R56, A17)."""

    def __init__(self) -> None:
        why = "this lead is shared with you for reading: only who is in charge of it may change it"
        super().__init__("shared-for-reading", why)


WIRING: Mapping[type[Command], Wiring] = {
    **entry.WIRING,
    **duplicates.WIRING,
    **ownership.WIRING,
    **work.WIRING,
    **files.WIRING,
    **outcome.WIRING,
    **clean_up.WIRING,
    **privacy.WIRING,
}
"""The commands that people give."""
_ALL = {**WIRING, **imported.WIRING, **privacy.AGAIN}


class Named(NamedTuple):
    """What a command is called, the stream that it is for, the fingerprint of what it says."""

    command_id: UUID
    stream: UUID
    fingerprint: bytes


class LeadCommands:
    """Carries the commands of `WIRING` out. `key`: 1 to 64 secret bytes for hashes."""

    def __init__(
        self,
        loop: CommandLoop[Lead],
        codes: Codes,
        registry: Registry,
        clock: Clock,
        zone: ZoneInfo,
        key: bytes,
        workloads: Workloads | None = None,
    ) -> None:
        self._loop = loop
        self._codes = codes
        self._registry = registry
        self._clock = clock
        self._zone = zone
        self._workloads = workloads or Idle()
        self._hash = blake2b(key=key, digest_size=16)
        self._mark = marker(key)

    async def execute(
        self,
        command: Command,
        *,
        lead: UUID | None,
        caller: Caller,
        key: str | None = None,
        expected_version: int | None = None,
        scope: Scope = EVERYTHING,
        named: Named | None = None,
    ) -> Reply[Lead]:
        """Carry a command out on a lead (None = capture a new one); `key` makes it repeatable.

        A lead that `scope` does not see is unknown to its caller, and one that it only sees is
        not theirs to change. `named` is what `named` said, if asked. Raises Refusal (UnknownLead
        and SharedForReading among them), VersionMismatch, CommandReused or Unavailable.
        """
        wiring = _ALL[type(command)]
        named = named or self.named(command, lead=lead, caller=caller, key=key)
        facts = await self._facts(wiring, caller)
        judged = _judged(wiring, command, facts)
        return await self._loop.run(
            Intent(
                stream=named.stream,
                decide=_within(scope, judged.decide),
                meta=Meta(
                    caller.actor, named.command_id, caller.correlation_id, caller.causation_id
                ),
                fingerprint=named.fingerprint,
                expected_version=expected_version,
                repeatable=key is not None,
                marks=judged.marks,
                enough=judged.enough,
                admit=partial(_require_work, wiring, scope, facts) if lead else None,
            )
        )

    def named(
        self, command: Command, *, lead: UUID | None, caller: Caller, key: str | None
    ) -> Named:
        """What a command is called in the log, if it comes from this caller with this key."""
        command_id = _command_id(caller, key)
        stream = lead or _ALL[type(command)].stream(command) or uuid5(LEADS, str(command_id))
        return Named(command_id, stream, self._fingerprint(command, lead))

    async def knows(self, caller: Caller, key: str | None) -> bool:
        """Whether this caller used the key before: then a command has no effect any more."""
        return key is not None and await self._loop.knows(_command_id(caller, key))

    async def rehearse(
        self, command: Command, *, lead: UUID, caller: Caller, scope: Scope = EVERYTHING
    ) -> Sequence[Event]:
        """What the command would record on a lead now; raises the Refusal that it would meet.

        For commands without marks, ahead of work that would be in vain.
        """
        wiring = _ALL[type(command)]
        facts = await self._facts(wiring, caller)
        judged = wiring.judge(command, facts)
        assert not judged.marks
        assert not isinstance(judged.decide, Beside)
        state = await self._loop.read(lead)
        _require_work(wiring, scope, facts, state)
        return judged.decide(state, {})

    async def _facts(self, wiring: Wiring, caller: Caller) -> Facts:
        register = await self._registry.current()
        now = self._clock.now()
        code = await self._code(wiring.code_prefix, now) if wiring.code_prefix else ""
        workload = await self._workloads.current() if wiring.weighs else NO_WORKLOAD
        return Facts(now, self._zone, caller, register, self._mark, code, workload)

    async def _code(self, prefix: str, now: datetime) -> str:
        day = local_date(now, self._zone)
        return format_code(prefix, day, await self._codes.take(prefix, day))

    def _fingerprint(self, command: Command, lead: UUID | None) -> bytes:
        said = f"{type(command).__name__}\n{lead}\n{command.said()}"
        hashed = self._hash.copy()
        hashed.update(said.encode())
        return hashed.digest()


def _command_id(caller: Caller, key: str | None) -> UUID:
    """By the caller's key: as uuid5 says it below `COMMANDS`, in half the time."""
    if not key:
        return uuid4()
    named = _BELOW_COMMANDS.copy()
    named.update(f"{caller.actor}\n{key}".encode())
    return UUID(bytes=named.digest()[:16], version=5)


def _judged(wiring: Wiring, command: Command, facts: Facts) -> Judgement:
    """What the facts refuse now they may have allowed before: the log has the last word."""
    try:
        return wiring.judge(command, facts)
    except Refusal as refusal:
        return Judgement(refusing(refusal))


def _within(scope: Scope, decide: Decision[Lead]) -> Decision[Lead]:
    """A decision that takes in, beside its own lead, only leads that the caller works on."""
    if not isinstance(decide, Beside):
        return decide
    beside = decide

    def given(other: Lead) -> Decide[Lead]:
        if not (other.version and scope.works_on(other)):
            raise _refusal(scope, other)
        return beside.given(other)

    return Beside(decide.stream, given)


def _require_work(wiring: Wiring, scope: Scope, facts: Facts, lead: Lead) -> None:
    if not (lead.version and wiring.works_on(lead, scope, facts)):
        raise _refusal(scope, lead)


def _refusal(scope: Scope, lead: Lead) -> Refusal:
    """What is said of a lead that the caller does not work on."""
    return SharedForReading() if lead.version and scope.sees(lead) else UnknownLead()
