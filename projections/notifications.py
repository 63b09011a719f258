"""Every message that the log calls for, and what became of it: the outbox, and people's own lists.

Which events call for one: projections/who_is_told.py; what it is: projections/messages.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from aggregates.event import Event, Recorded
from aggregates.lead import events as e
from aggregates.lead import time_events as t
from aggregates.notification import events as n
from aggregates.notification.channels import IN_APP
from aggregates.notification.state import DEAD, RETRIED, SENT
from aggregates.review.events import ReviewOpened
from projections.base import Projection, Table, WorkingSet
from projections.masking import masked
from projections.messages import NOTIFICATIONS, SUBJECTS, Cause, SubjectRow
from projections.who_is_told import HANDLERS

READ = "read"


@dataclass(slots=True)
class DeliveryRow:
    """What became of a message on a channel: sent, dead, retried, or read in the person's list."""

    id: UUID
    channel: str
    recipient: str
    state: str
    at: datetime | None = None
    error: str | None = None
    attempts: int = 0
    position: int = 0


DELIVERIES = Table(
    "deliveries",
    DeliveryRow,
    key=("id", "channel"),
    indexes=(
        f"(position) WHERE state = '{DEAD}'",
        f"(position) WHERE state = '{RETRIED}'",
        "(recipient, id) WHERE state = 'read'",
    ),
)


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """Note what an event calls for, event by event."""
    subjects, messages = working.rows(SUBJECTS), working.rows(NOTIFICATIONS)
    deliveries = working.rows(DELIVERIES)
    for recorded in batch:
        if isinstance(recorded.event, n.NotificationEvent):
            _became(deliveries, recorded, recorded.event)
            continue
        subject = SubjectRow(recorded.stream)
        if not isinstance(recorded.event, ReviewOpened):
            subject = subjects.setdefault(recorded.stream, subject)
        HANDLERS[type(recorded.event)](Cause(recorded, subject, messages), recorded.event)


def _became(
    deliveries: dict[Any, DeliveryRow], recorded: Recorded, event: n.NotificationEvent
) -> None:
    channel, state = IN_APP, READ
    error, attempts = None, 0
    match event:
        case n.NotificationSent():
            channel, state = event.channel, SENT
        case n.NotificationDead():
            channel, state, error, attempts = event.channel, DEAD, event.error, event.attempts
        case n.NotificationRetried():
            channel, state = event.channel, RETRIED
        case _:
            pass
    deliveries[recorded.stream, channel] = DeliveryRow(
        id=recorded.stream,
        channel=channel,
        recipient=event.recipient,
        state=state,
        at=event.occurred_at,
        error=error,
        attempts=attempts,
        position=recorded.position,
    )


EVENTS: tuple[type[Event], ...] = (*HANDLERS, *n.EVENTS)

_WITH_TEXT = {
    e.LeadCaptured, e.InfoChanged, e.LeadAssigned, e.LeadConverted, t.InfoCompletionOverdue,
    t.TaskOverdue, ReviewOpened, *n.EVENTS,
}  # fmt: skip
PROJECTION = Projection(
    "notifications",
    2,
    EVENTS,
    (SUBJECTS, NOTIFICATIONS, DELIVERIES),
    masked(fold, textless=[event for event in EVENTS if event not in _WITH_TEXT]),
    personal=True,
)
