"""Commands that screen or pause a lead, give it up, win it, and take that back (R59-R63,
R100-R108, R118).
"""

from collections.abc import Mapping
from functools import partial

from pydantic import ConfigDict

from aggregates.lead.close import invalidate, reopen
from aggregates.lead.convert import convert, reverse_conversion
from aggregates.lead.pause import pause, resume
from aggregates.lead.screen import screen
from aggregates.policy.work import CONTRACT_SIGNED
from commands.fields import At, Class, Command, Money, Name, Note, Reason, Text, example
from commands.lead.wiring import Facts, Judgement, Wiring, simply


class ScreenLead(Command):
    """Hand a lead to sales, or reject it (R118)."""

    model_config = ConfigDict(json_schema_extra=example(accepted=True))

    accepted: bool
    reason: Class | None = None
    """Why it is rejected: one of the screening policy's reasons."""
    note: Text | None = None


class PauseLead(Command):
    """Let a lead stand still, 暂缓: nobody is reminded of it (R107, R108)."""

    model_config = ConfigDict(json_schema_extra=example(reason="客户预算下季度批复"))

    reason: Reason
    resume_at: At | None = None
    """When it goes on: as late as the pause policy allows, if not given (A26)."""


class ResumeLead(Command):
    """Let a paused lead go on (A26)."""

    model_config = ConfigDict(json_schema_extra=example(reason="预算已批复"))

    reason: Note | None = None


class InvalidateLead(Command):
    """Give a lead up (R100, R101)."""

    model_config = ConfigDict(json_schema_extra=example(reason="联系方式错误"))

    reason: Reason
    """One of the clean-up policy's reasons; what else there is to say is for the note."""
    note: Text | None = None


class ReopenLead(Command):
    """Take an invalid lead up again (A25)."""

    model_config = ConfigDict(json_schema_extra=example(reason="客户重新来电"))

    reason: Note | None = None


class ConvertLead(Command):
    """Win a lead: the contract is signed (R59-R62)."""

    model_config = ConfigDict(json_schema_extra=example(amount="85000.00", basis=CONTRACT_SIGNED))

    converted_at: At | None = None
    """When it was signed, not before the capture; now, if not given (R93)."""
    amount: Money | None = None
    """Deal amount in the company currency (R97); the conversion policy may require it."""
    basis: Name = CONTRACT_SIGNED
    """What the conversion rests on (A19)."""


class ReverseConversion(Command):
    """Take a conversion back that does not stand; the stage goes back with it."""

    model_config = ConfigDict(json_schema_extra=example(reason="合同撤销"))

    reason: Reason


def _screen(c: ScreenLead, facts: Facts) -> Judgement:
    decide = partial(
        screen,
        now=facts.now,
        accepted=c.accepted,
        reason=c.reason or None,
        note=c.note or None,
        rules=facts.policies.screening.rules,
    )
    return simply(decide)


def _pause(c: PauseLead, facts: Facts) -> Judgement:
    decide = partial(
        pause,
        now=facts.now,
        zone=facts.zone,
        reason=c.reason,
        resume_at=c.resume_at,
        rules=facts.policies.pause.rules,
    )
    return simply(decide)


def _resume(c: ResumeLead, facts: Facts) -> Judgement:
    return simply(partial(resume, now=facts.now, reason=c.reason or None))


def _invalidate(c: InvalidateLead, facts: Facts) -> Judgement:
    reasons = facts.policies.clean_up.rules.reasons
    note = c.note or None
    return simply(partial(invalidate, now=facts.now, reason=c.reason, note=note, reasons=reasons))


def _reopen(c: ReopenLead, facts: Facts) -> Judgement:
    return simply(partial(reopen, now=facts.now, reason=c.reason or None))


def _convert(c: ConvertLead, facts: Facts) -> Judgement:
    decide = partial(
        convert,
        now=facts.now,
        zone=facts.zone,
        converted_at=c.converted_at,
        amount=c.amount,
        basis=c.basis,
        rules=facts.policies.conversion.rules,
    )
    return simply(decide)


def _reverse(c: ReverseConversion, facts: Facts) -> Judgement:
    return simply(partial(reverse_conversion, now=facts.now, reason=c.reason))


WIRING: Mapping[type[Command], Wiring] = {
    ScreenLead: Wiring(_screen),
    PauseLead: Wiring(_pause),
    ResumeLead: Wiring(_resume),
    InvalidateLead: Wiring(_invalidate),
    ReopenLead: Wiring(_reopen),
    ConvertLead: Wiring(_convert),
    ReverseConversion: Wiring(_reverse),
}
