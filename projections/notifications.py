"""Every message that the log calls for, and what became of it: the outbox, and people's own lists
(R10, R29, R36, R40, R41, R53).

A message is named after its cause, its kind and whom it is for, so that it is the same one however
often the log is folded, and nobody is told twice. What an import brought is history and tells
nobody; a paused lead reminds nobody (R107). Nobody is told what they have just done themselves:
whoever claims a lead, or enters one for themselves, knows. Texts are made when they are sent, from
what stands here: nothing that people typed but the customer's name.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from aggregates.event import Event, Recorded
from aggregates.lead import events as e
from aggregates.lead import time_events as t
from aggregates.lead.expire import RESUME_AT
from aggregates.lead.timers import COMPLETE_INFO
from aggregates.notification import events as n
from aggregates.notification.channels import IN_APP
from aggregates.notification.state import DEAD, RETRIED, SENT
from aggregates.review.events import ReviewOpened
from projections.base import Projection, Table, WorkingSet
from projections.masking import masked

MESSAGES = UUID("c1f5a9f2-53a0-4c0b-8f6e-6d6e7b0c4a35")
READ = "read"
AT_ONCE = timedelta(minutes=1)
"""What happened longer before it was recorded is no news: an import brought it."""

FIRST_FOLLOW_UP, ASSIGNED, RESUMED = "first-follow-up", "assigned", "resumed"
INCOMPLETE, STILL_INCOMPLETE = "complete-info", "info-overdue"
LATE, ESCALATED, LATE_REASON = "first-response-late", "escalated", "late-reason"
TASK_OVERDUE, UNASSIGNABLE, REVIEW = "task-overdue", "assignment-failed", "review"
KINDS = (
    FIRST_FOLLOW_UP, ASSIGNED, RESUMED, INCOMPLETE, STILL_INCOMPLETE, LATE, ESCALATED, LATE_REASON,
    TASK_OVERDUE, UNASSIGNABLE, REVIEW,
)  # fmt: skip


@dataclass(slots=True)
class SubjectRow:
    """What messages about a lead have to know of it. `recorded_at`: of its capture."""

    subject: UUID
    code: str | None = None
    customer: str | None = None
    owner: str | None = None
    entered_by: str | None = None
    recorded_at: datetime | None = None
    historical: bool = True
    reached: bool = False
    paused: bool = False
    knows: bool = False
    untold: bool = False


@dataclass(slots=True)
class MessageRow:
    """A message to `recipient`, a person's name. `subject`: the lead or the review it is about.

    `about` holds the values of its text by name; `created_at` is when its cause happened, UTC.
    """

    subject: UUID
    id: UUID
    kind: str
    recipient: str
    code: str | None = None
    customer: str | None = None
    about: dict[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None
    created_at: datetime | None = None
    recorded_at: datetime | None = None
    position: int = 0


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


SUBJECTS = Table("notified_subjects", SubjectRow, key=("subject",))
NOTIFICATIONS = Table(
    "notifications",
    MessageRow,
    key=("subject", "id"),
    indexes=("(recipient, position, id)", "(position, id)", "(id)", "(recorded_at)"),
)
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


def message_id(stream: UUID, version: int, recipient: str, kind: str) -> UUID:
    """The message that an event calls for."""
    return uuid5(MESSAGES, f"{stream}/{version}\n{recipient}\n{kind}")


@dataclass(frozen=True, slots=True)
class _Cause:
    """An event, the lead or review it is about, and where the messages go."""

    recorded: Recorded
    subject: SubjectRow
    messages: dict[tuple[UUID, UUID], MessageRow]

    @property
    def is_news(self) -> bool:
        """Whether it has only just happened, and nobody brought it from elsewhere."""
        at = self.recorded.event.occurred_at
        return not self.subject.historical or (
            at is not None and abs(self.recorded.recorded_at - at) <= AT_ONCE
        )

    def tell(
        self,
        kind: str,
        recipients: Iterable[str | None],
        *,
        due_at: datetime | None = None,
        **about: Any,
    ) -> None:
        """A message of this kind to everybody named, once each."""
        said = {name: value for name, value in about.items() if value}
        position, stream, version, recorded_at, event = self.recorded
        for recipient in filter(None, dict.fromkeys(recipients)):
            message = message_id(stream, version, recipient, kind)
            self.messages[stream, message] = MessageRow(
                subject=stream,
                id=message,
                kind=kind,
                recipient=recipient,
                code=self.subject.code,
                customer=self.subject.customer,
                about=said,
                due_at=due_at,
                created_at=event.occurred_at,
                recorded_at=recorded_at,
                position=position,
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
        _HANDLERS[type(recorded.event)](_Cause(recorded, subject, messages), recorded.event)


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


def _captured(c: _Cause, event: e.LeadCaptured) -> None:
    lead = c.subject
    lead.historical = bool(event.source_system and not event.by_command)
    lead.code = lead.code or event.code
    lead.entered_by = lead.entered_by or event.entered_by
    lead.recorded_at = c.recorded.recorded_at
    _describe(lead, event.details)


def _described(c: _Cause, event: e.InfoChanged) -> None:
    _describe(c.subject, event.details)


def _describe(lead: SubjectRow, details: Mapping[str, Any]) -> None:
    lead.customer = details.get("customer", lead.customer)
    lead.owner = details.get("owner", lead.owner)


def _assigned(c: _Cause, event: e.LeadAssigned) -> None:
    lead = c.subject
    _describe(lead, event.details)
    lead.owner = event.owner or lead.owner
    by_themselves = event.owner == lead.entered_by and not event.explanation
    lead.knows = by_themselves and lead.recorded_at == c.recorded.recorded_at
    if c.is_news and not lead.knows:
        _handed(c, lead.owner)


def _passed_on(c: _Cause, event: e.LeadReassigned | e.LeadHandedOver) -> None:
    c.subject.owner, c.subject.knows = event.owner, False
    _handed(c, event.owner)


def _handed(c: _Cause, owner: str | None) -> None:
    """Whoever has still to reach the customer is told with the task, which follows at once."""
    if c.subject.paused:
        c.subject.untold = True
    elif c.subject.reached:
        c.tell(ASSIGNED, [owner])


def _claimed(c: _Cause, event: e.LeadClaimed) -> None:
    c.subject.owner, c.subject.knows, c.subject.untold = event.owner, True, False


def _released(c: _Cause, _: e.LeadReleasedToPool) -> None:
    c.subject.owner, c.subject.untold = None, False


def _unassignable(c: _Cause, event: e.AssignmentFailed) -> None:
    c.tell(UNASSIGNABLE, event.supervisors or ())


def _contacted(c: _Cause, event: e.FollowUpRecorded) -> None:
    c.subject.reached = c.subject.reached or event.connected


def _converted(c: _Cause, event: e.LeadConverted) -> None:
    c.subject.reached = True
    _describe(c.subject, event.details)


def _paused(c: _Cause, _: e.LeadPaused) -> None:
    c.subject.paused = True


def _resumed(c: _Cause, event: e.LeadResumed) -> None:
    """Whoever resumes it by hand knows; whoever got it meanwhile does not."""
    lead = c.subject
    if event.reason == RESUME_AT or lead.untold:
        c.tell(RESUMED, [lead.owner])
    lead.paused = lead.untold = False


def _issued(c: _Cause, event: t.FirstFollowUpTaskIssued) -> None:
    lead, knows = c.subject, c.subject.knows
    lead.knows = False
    if lead.paused:
        lead.untold = not knows
    elif c.is_news and not knows:
        c.tell(FIRST_FOLLOW_UP, [event.owner], due_at=event.due_at, level=event.level)


def _scheduled(c: _Cause, event: t.TaskScheduled) -> None:
    if event.kind == COMPLETE_INFO and not c.subject.paused:
        c.tell(INCOMPLETE, [c.subject.owner or c.subject.entered_by], due_at=event.due_at)


def _still_incomplete(c: _Cause, event: t.InfoCompletionOverdue) -> None:
    told = [event.responsible, *event.supervisors]
    c.tell(
        STILL_INCOMPLETE,
        told,
        due_at=event.occurred_at,
        missing=", ".join(event.missing),
        owner=event.responsible,
    )


def _breached(c: _Cause, event: t.FirstResponseBreached) -> None:
    c.tell(LATE, [event.owner], due_at=event.occurred_at, level=event.level)


def _escalated(c: _Cause, event: t.EscalatedToSupervisor) -> None:
    c.tell(ESCALATED, event.supervisors, owner=event.owner, team=event.team)
    c.tell(LATE_REASON, [event.owner])


def _overdue(c: _Cause, event: t.TaskOverdue) -> None:
    c.tell(TASK_OVERDUE, [event.owner], due_at=event.occurred_at, task=event.task)


def _review(c: _Cause, event: ReviewOpened) -> None:
    c.tell(
        REVIEW,
        event.supervisors,
        review=event.kind,
        team=event.team,
        since=event.since.isoformat(),
        until=event.until.isoformat(),
        total=event.total,
    )


_HANDLERS: Mapping[type[Event], Callable[[_Cause, Any], None]] = {
    e.LeadCaptured: _captured,
    e.InfoChanged: _described,
    e.LeadAssigned: _assigned,
    e.LeadReassigned: _passed_on,
    e.LeadHandedOver: _passed_on,
    e.LeadClaimed: _claimed,
    e.LeadReleasedToPool: _released,
    e.AssignmentFailed: _unassignable,
    e.FollowUpRecorded: _contacted,
    e.LeadConverted: _converted,
    e.LeadPaused: _paused,
    e.LeadResumed: _resumed,
    t.FirstFollowUpTaskIssued: _issued,
    t.TaskScheduled: _scheduled,
    t.InfoCompletionOverdue: _still_incomplete,
    t.FirstResponseBreached: _breached,
    t.EscalatedToSupervisor: _escalated,
    t.TaskOverdue: _overdue,
    ReviewOpened: _review,
}
EVENTS: tuple[type[Event], ...] = (*_HANDLERS, *n.EVENTS)

_WITH_TEXT = {
    e.LeadCaptured, e.InfoChanged, e.LeadAssigned, e.LeadConverted, t.InfoCompletionOverdue,
    t.TaskOverdue, ReviewOpened, *n.EVENTS,
}  # fmt: skip
PROJECTION = Projection(
    "notifications",
    1,
    EVENTS,
    (SUBJECTS, NOTIFICATIONS, DELIVERIES),
    masked(fold, textless=[event for event in EVENTS if event not in _WITH_TEXT]),
)
