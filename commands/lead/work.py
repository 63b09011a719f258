"""Commands of the daily work on a lead: moves, follow-ups, why one was late (R42, R46-R58)."""

from collections.abc import Mapping
from functools import partial
from typing import Literal

from pydantic import ConfigDict

from aggregates.lead.effort import REFUSED
from aggregates.lead.events import FollowUpRecorded
from aggregates.lead.follow_up import record_follow_up
from aggregates.lead.late_reason import record_late_reason
from aggregates.lead.stage import advance
from aggregates.values import FOLLOW_UP_PREFIX
from commands.fields import At, Class, Command, Day, Label, Name, Note, Reason, Text, example
from commands.lead.wiring import Facts, Judgement, Wiring, simply


class AdvanceLead(Command):
    """Enter a stage of the pipeline, forward or back (R52)."""

    model_config = ConfigDict(json_schema_extra=example(stage="方案提交"))

    stage: Name
    reason: Note | None = None


class RecordFollowUp(Command):
    """Record a contact with the customer (R46-R51)."""

    model_config = ConfigDict(
        json_schema_extra=example(
            occurred_at="2024-05-02T14:30:00+08:00",
            method="电话沟通",
            content="客户对产品A功能感兴趣,要求提供案例",
            feedback="需要下周前提供报价单",
            next_step="发送方案",
            next_step_due="2024-05-10",
        )
    )

    occurred_at: At | None = None
    """When the contact took place; now, if not given (R84)."""
    method: Class | None = None
    """电话沟通, 面谈, 邮件, ... (R86)"""
    content: Text | None = None
    feedback: Text | None = None
    next_step: Text | None = None
    next_step_due: Day | None = None
    """A local date, due at its end (A14)."""
    outcome: Literal[
        "connected", "refused", "no_answer", "busy", "wrong_number", "left_message"
    ] = "connected"
    """`connected` and `refused` answer the customer (A12); `refused`: who explicitly wants nothing
    of it (R101).
    """
    by: Label | None = None
    """Who did it, if not the caller (R85)."""
    stage: Label | None = None
    """The stage that the record sets (R90)."""


class RecordLateReason(Command):
    """Say why the first follow-up was late (R42)."""

    model_config = ConfigDict(json_schema_extra=example(reason="客户未接听", note="打了三次"))

    reason: Reason
    """One of the late_reasons of the response policy."""
    note: Text | None = None


def _advance(c: AdvanceLead, facts: Facts) -> Judgement:
    pipeline = facts.policies.pipeline.rules
    return simply(
        partial(advance, now=facts.now, stage=c.stage, reason=c.reason or None, pipeline=pipeline)
    )


def _follow_up(c: RecordFollowUp, facts: Facts) -> Judgement:
    record = FollowUpRecorded(
        occurred_at=c.occurred_at,
        code=facts.code,
        connected=c.outcome in ("connected", REFUSED),
        outcome=c.outcome,
        by=c.by or facts.caller.person,
        method=c.method or None,
        content=c.content or None,
        feedback=c.feedback or None,
        next_step=c.next_step or None,
        next_step_due=c.next_step_due,
        stage=c.stage or None,
    )
    decide = partial(
        record_follow_up,
        now=facts.now,
        record=record,
        quality=facts.policies.follow_up,
        pipeline=facts.policies.pipeline.rules,
        people=facts.people if c.by else (),
    )
    return simply(decide)


def _late_reason(c: RecordLateReason, facts: Facts) -> Judgement:
    rules = facts.policies.response.rules
    decide = partial(
        record_late_reason,
        now=facts.now,
        reason=c.reason,
        note=c.note or None,
        by=facts.caller.person,
        rules=rules,
    )
    return simply(decide)


WIRING: Mapping[type[Command], Wiring] = {
    AdvanceLead: Wiring(_advance),
    RecordFollowUp: Wiring(_follow_up, FOLLOW_UP_PREFIX),
    RecordLateReason: Wiring(_late_reason),
}
