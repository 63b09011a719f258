"""A message that the log calls for: its name, its row, and what has to be known of its subject.

It is named after its cause, its kind and whom it is for, so that it is the same one however often
the log is folded, and nobody is told twice. Its text is made when it is sent, from what stands
here: nothing that people typed but the customer's name.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from aggregates.event import Recorded
from projections.base import Table

MESSAGES = UUID("c1f5a9f2-53a0-4c0b-8f6e-6d6e7b0c4a35")
AT_ONCE = timedelta(minutes=1)
"""What happened longer before it was recorded is no news: an import brought it."""

FIRST_FOLLOW_UP, ASSIGNED, RESUMED = "first-follow-up", "assigned", "resumed"
INCOMPLETE, STILL_INCOMPLETE = "complete-info", "info-overdue"
LATE, ESCALATED, LATE_REASON = "first-response-late", "escalated", "late-reason"
TASK_OVERDUE, NOBODYS_TASK = "task-overdue", "nobodys-task"
UNASSIGNABLE, REVIEW = "assignment-failed", "review"
KINDS = (
    FIRST_FOLLOW_UP, ASSIGNED, RESUMED, INCOMPLETE, STILL_INCOMPLETE, LATE, ESCALATED, LATE_REASON,
    TASK_OVERDUE, NOBODYS_TASK, UNASSIGNABLE, REVIEW,
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


SUBJECTS = Table("notified_subjects", SubjectRow, key=("subject",))
NOTIFICATIONS = Table(
    "notifications",
    MessageRow,
    key=("subject", "id"),
    indexes=("(recipient, position, id)", "(position, id)", "(id)", "(recorded_at)"),
)


def message_id(stream: UUID, version: int, recipient: str, kind: str) -> UUID:
    """The message that an event calls for."""
    return uuid5(MESSAGES, f"{stream}/{version}\n{recipient}\n{kind}")


@dataclass(frozen=True, slots=True)
class Cause:
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
