"""Every command on a lead, from its checked form to the decision that judges it.

The same caller with the same idempotency key gets the same command id, hence at most one effect
and the same answer (P2); a new lead's id follows from its command's. Codes are taken before the
decision, so a refused command may leave a gap in the numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import Any
from uuid import UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

from aggregates.event import Event, Meta
from aggregates.lead.assign import assign
from aggregates.lead.capture import capture
from aggregates.lead.close import invalidate, reopen
from aggregates.lead.convert import convert, reverse_conversion
from aggregates.lead.events import FollowUpRecorded
from aggregates.lead.follow_up import record_follow_up
from aggregates.lead.stage import advance
from aggregates.lead.state import Lead
from aggregates.policy.builtin import CONVERSION_BASES, FOLLOW_UP_QUALITY
from aggregates.refusal import Refusal
from aggregates.values import FOLLOW_UP_PREFIX, LEAD_PREFIX, format_code, local_date
from commands import models as m
from commands.caller import Caller
from commands.loop import CommandLoop, Intent, Reply
from commands.ports import Clock, Codes

LEADS = UUID("5b2c1f3e-8f0e-4c39-9d3a-0f5f6f0d8a41")
COMMANDS = UUID("c8b0a3b4-1d57-4d0b-8b61-2f6d0e3a7c55")


class UnknownLead(Refusal):
    """There is no such lead."""

    def __init__(self) -> None:
        super().__init__("unknown-lead", "there is no such lead")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision needs besides the command: the instant, a fresh code, who asks."""

    now: datetime
    code: str
    person: str | None


Decide = Callable[[Lead], Sequence[Event]]


def _capture(c: m.CaptureLead, facts: Facts) -> Decide:
    described = {k: v for k, v in c.__dict__.items() if v and k != "attributes"}
    details = {**described, **c.attributes}
    return partial(capture, now=facts.now, code=facts.code, details=details)


def _assign(c: m.AssignLead, facts: Facts) -> Decide:
    return partial(
        assign, now=facts.now, owner=c.owner, team=c.team or None, reason=c.reason or None
    )


def _advance(c: m.AdvanceLead, facts: Facts) -> Decide:
    return partial(advance, now=facts.now, stage=c.stage, reason=c.reason or None)


def _follow_up(c: m.RecordFollowUp, facts: Facts) -> Decide:
    record = FollowUpRecorded(
        occurred_at=c.occurred_at,
        code=facts.code,
        connected=c.outcome == "connected",
        outcome=c.outcome,
        by=c.by or facts.person,
        method=c.method or None,
        content=c.content or None,
        feedback=c.feedback or None,
        next_step=c.next_step or None,
        next_step_due=c.next_step_due,
        stage=c.stage or None,
    )
    return partial(record_follow_up, now=facts.now, record=record, quality=FOLLOW_UP_QUALITY)


def _invalidate(c: m.InvalidateLead, facts: Facts) -> Decide:
    return partial(invalidate, now=facts.now, reason=c.reason, note=c.note or None)


def _reopen(c: m.ReopenLead, facts: Facts) -> Decide:
    return partial(reopen, now=facts.now, reason=c.reason or None)


def _convert(c: m.ConvertLead, facts: Facts) -> Decide:
    return partial(
        convert,
        now=facts.now,
        converted_at=c.converted_at,
        amount=c.amount,
        basis=c.basis,
        accepted_bases=CONVERSION_BASES,
    )


def _reverse(c: m.ReverseConversion, facts: Facts) -> Decide:
    return partial(reverse_conversion, now=facts.now, reason=c.reason)


DECISIONS: Mapping[type[m.Command], Callable[[Any, Facts], Decide]] = {
    m.CaptureLead: _capture,
    m.AssignLead: _assign,
    m.AdvanceLead: _advance,
    m.RecordFollowUp: _follow_up,
    m.InvalidateLead: _invalidate,
    m.ReopenLead: _reopen,
    m.ConvertLead: _convert,
    m.ReverseConversion: _reverse,
}
CODE_PREFIXES: Mapping[type[m.Command], str] = {
    m.CaptureLead: LEAD_PREFIX,
    m.RecordFollowUp: FOLLOW_UP_PREFIX,
}


class LeadCommands:
    """Carries the commands of `DECISIONS` out. `fingerprint_key`: 1 to 64 secret bytes."""

    def __init__(
        self,
        loop: CommandLoop[Lead],
        codes: Codes,
        clock: Clock,
        zone: ZoneInfo,
        fingerprint_key: bytes,
    ) -> None:
        self._loop = loop
        self._codes = codes
        self._clock = clock
        self._zone = zone
        self._hash = partial(blake2b, key=fingerprint_key, digest_size=16)

    async def execute(
        self,
        command: m.Command,
        *,
        lead: UUID | None,
        caller: Caller,
        key: str | None = None,
        expected_version: int | None = None,
    ) -> Reply[Lead]:
        """Carry a command out on a lead (None = capture a new one); `key` makes it repeatable.

        Raises Refusal (UnknownLead among them), VersionMismatch, CommandReused or Unavailable.
        """
        command_id = uuid5(COMMANDS, f"{caller.actor}\n{key}") if key else uuid4()
        stream = lead or uuid5(LEADS, str(command_id))
        decide = DECISIONS[type(command)](command, await self._facts(type(command), caller))
        return await self._loop.run(
            Intent(
                stream=stream,
                decide=partial(_on_known, decide) if lead else decide,
                meta=Meta(caller.actor, command_id, caller.correlation_id, caller.causation_id),
                fingerprint=self._fingerprint(command, lead),
                expected_version=expected_version,
                repeatable=key is not None,
            )
        )

    async def _facts(self, command: type[m.Command], caller: Caller) -> Facts:
        now = self._clock.now()
        prefix = CODE_PREFIXES.get(command)
        if prefix is None:
            return Facts(now, "", caller.person)
        day = local_date(now, self._zone)
        number = await self._codes.take(prefix, day)
        return Facts(now, format_code(prefix, day, number), caller.person)

    def _fingerprint(self, command: m.Command, lead: UUID | None) -> bytes:
        said = f"{type(command).__name__}\n{lead}\n{command.model_dump_json()}"
        return self._hash(said.encode()).digest()


def _on_known(decide: Decide, lead: Lead) -> Sequence[Event]:
    if not lead.version:
        raise UnknownLead
    return decide(lead)
