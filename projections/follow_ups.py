"""Follow-ups: table 2 of the brief, one row per contact with a customer (R82-R90)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from aggregates.event import Recorded
from aggregates.lead.events import FollowUpRecorded
from aggregates.lead.privacy_events import PersonalDataErased
from projections.base import Projection, Table, View, WorkingSet
from projections.masking import masked


@dataclass(slots=True)
class FollowUpRow:
    """A contact. `at` is its actual time (UTC, null = unknown), `recorded_at` that of entry."""

    lead: UUID
    position: int
    code: str
    at: datetime | None
    recorded_at: datetime
    by: str | None
    method: str | None
    content: str | None
    feedback: str | None
    next_step: str | None
    next_step_due: date | None
    stage: str | None
    outcome: str | None
    connected: bool
    late: bool
    vague: bool


FOLLOW_UPS = Table(
    "follow_ups",
    FollowUpRow,
    key=("position",),
    facts=True,
    personal=("content", "feedback", "next_step"),
    indexes=("(lead)", "(code)"),
)


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """Every follow-up is a row of its own."""
    for position, stream, _, recorded_at, event in batch:
        if isinstance(event, PersonalDataErased):
            working.forget(FOLLOW_UPS, stream, position)
            continue
        assert isinstance(event, FollowUpRecorded)
        row = FollowUpRow(
            lead=stream,
            position=position,
            code=event.code,
            at=event.occurred_at,
            recorded_at=recorded_at,
            by=event.by,
            method=event.method,
            content=event.content,
            feedback=event.feedback,
            next_step=event.next_step,
            next_step_due=event.next_step_due,
            stage=event.stage,
            outcome=event.outcome,
            connected=event.connected,
            late=event.quality.get("late", False),
            vague=event.quality.get("verdict") == "vague",
        )
        working.append(FOLLOW_UPS, row)


VIEW = View(
    name="follow_ups",
    comment="Follow-ups (table 2), one row each, without their free text.",
    query=(
        "SELECT lead, code, at, recorded_at, by, method, next_step_due, stage, outcome, connected,"
        " late, vague, position FROM {rows} f"
    ),
    scoped="follow_ups",
    columns={
        "lead": "Stream id of the lead.",
        "code": "Follow-up code, GJyyyymmddNNN.",
        "at": "When the contact took place; null = unknown.",
        "recorded_at": "When it was recorded.",
        "by": "Who did it; may differ from the owner.",
        "stage": "The stage that the record set, if any.",
        "connected": "Whether the customer was reached.",
        "late": "Recorded longer after the contact than the follow-up rules of then allow.",
        "vague": "Not concrete by the follow-up rules of then (which only warned).",
        "position": "Log position of the event.",
    },
)

PROJECTION = Projection(
    "follow_ups",
    3,
    (FollowUpRecorded, PersonalDataErased),
    (FOLLOW_UPS,),
    masked(fold),
    (VIEW,),
    personal=True,
)
