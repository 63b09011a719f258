"""What time does to a lead, and what ends the waiting.

An event about something that became due happened at its due instant, however late the sweep was
(decision 3): `occurred_at` is that instant.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import ClassVar
from uuid import UUID

from aggregates.event import Event, Personal, PolicyRef
from aggregates.lead.events import Details


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of this name runs from `since` and is `due_at`; `spent` seconds of its time were
    used up before `since`, when a pause stopped it (A26).
    """

    name: str
    since: datetime
    due_at: datetime
    spent: float = 0.0


@dataclass(frozen=True, kw_only=True)
class FirstFollowUpTaskIssued(Event):
    """The owner is to reach the customer by `due_at` (R37, R38, R104-R106, A10).

    Issued anew for every new owner until somebody has (A31). Where nobody has by `escalate_at` the
    supervisor is told (R40); None = they were told before, or another task says when.
    """

    topic: ClassVar[str] = "lead.first-follow-up-task-issued"

    owner: str
    level: str
    due_at: datetime
    escalate_at: datetime | None = None
    policy: PolicyRef
    calendar: PolicyRef | None = None


@dataclass(frozen=True, kw_only=True)
class FirstResponseMade(Event):
    """The customer was reached for the first time, at `occurred_at` (A12, A30).

    Seconds: since the capture, since the owner got the lead, after the task was due (0 = in time).
    None where there is no such instant. `by` is who did it.
    """

    topic: ClassVar[str] = "lead.first-response-made"

    by: str | None = None
    due_at: datetime | None = None
    since_capture: float | None = None
    since_assignment: float | None = None
    late: float | None = None


@dataclass(frozen=True, kw_only=True)
class FirstResponseBreached(Event):
    """The first follow-up was due and nobody had reached the customer (R38, R104-R106)."""

    topic: ClassVar[str] = "lead.first-response-breached"

    owner: str
    level: str
    policy: PolicyRef | None = None


@dataclass(frozen=True, kw_only=True)
class EscalatedToSupervisor(Event):
    """Nobody reached the customer for so long that the supervisor is told, once (R40, R41, A11).

    `supervisors` are told: the team's, else the administrators. From now on the owner owes a reason
    (R42).
    """

    topic: ClassVar[str] = "lead.escalated-to-supervisor"

    owner: str
    team: str | None = None
    supervisors: tuple[str, ...] = ()
    policy: PolicyRef | None = None


@dataclass(frozen=True, kw_only=True)
class LateReasonRecorded(Event):
    """Why the first follow-up was late: 客户未接听, 出差, ... (R42, A12)."""

    topic: ClassVar[str] = "lead.late-reason-recorded"

    reason: str
    note: Personal | None = None
    by: str | None = None


@dataclass(frozen=True, kw_only=True)
class InfoCompletionOverdue(Event):
    """The lead is still 待补充 when it should be complete (R28, A8). `responsible`: the owner, else
    who entered it; `supervisors` see it on their list.
    """

    topic: ClassVar[str] = "lead.info-completion-overdue"

    missing: tuple[str, ...]
    responsible: str | None = None
    supervisors: tuple[str, ...] = ()
    policy: PolicyRef | None = None


@dataclass(frozen=True, kw_only=True)
class TaskScheduled(Event):
    """Something is to be done by `due_at` (R53, A14).

    `task` is its name within the lead: one of a name is open at a time. `kind` is complete-info:
    the lead is 待补充 (R28); stage: entering `stage` asks for it (R53); next-step: the follow-up
    `follow_up` says so, which was at `asked_at`, by the end of the local day `due_on` (A14).
    """

    topic: ClassVar[str] = "lead.task-scheduled"

    task: str
    kind: str
    due_at: datetime
    due_on: date | None = None
    stage: str | None = None
    follow_up: str | None = None
    asked_at: datetime | None = None
    policy: PolicyRef | None = None
    calendar: PolicyRef | None = None


@dataclass(frozen=True, kw_only=True)
class TaskOverdue(Event):
    """A task was not done when it was due; it stays to be done. Where the lead has no `owner`, the
    `supervisors` are told.
    """

    topic: ClassVar[str] = "lead.task-overdue"

    task: str
    owner: str | None = None
    supervisors: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TaskDone(Event):
    """A contact with the customer did what the task asked for, at `occurred_at`."""

    topic: ClassVar[str] = "lead.task-done"

    task: str
    by: str | None = None


@dataclass(frozen=True, kw_only=True)
class TaskCancelled(Event):
    """The task is no longer to be done: the lead has left the stage that asked for it."""

    topic: ClassVar[str] = "lead.task-cancelled"

    task: str


@dataclass(frozen=True, kw_only=True)
class DeadlinesMoved(Event):
    """These clocks of the lead are due at another instant: a pause ended and what was
    left of them runs on (A26), or another level gives more or less time from the same start (A10).
    """

    topic: ClassVar[str] = "lead.deadlines-moved"

    reason: str
    clocks: tuple[Clock, ...]
    level: str | None = None
    policy: PolicyRef | None = None


@dataclass(frozen=True, kw_only=True)
class LeadInvalidationProposed(Event):
    """The month-end clean-up found the lead to be of no use; the supervisor decides (R100, A25).

    `month` is the local month, YYYY-MM; `evidence` says what was found: counts and dates by name.
    """

    topic: ClassVar[str] = "lead.invalidation-proposed"

    reason: str
    month: str
    evidence: Details = field(default_factory=dict)
    supervisors: tuple[str, ...] = ()
    review: UUID | None = None
    policy: PolicyRef | None = None


@dataclass(frozen=True, kw_only=True)
class InvalidationDismissed(Event):
    """The supervisor keeps a lead that the clean-up proposed to give up."""

    topic: ClassVar[str] = "lead.invalidation-dismissed"

    reason: Personal | None = None


EVENTS: tuple[type[Event], ...] = (
    FirstFollowUpTaskIssued, FirstResponseMade, FirstResponseBreached, EscalatedToSupervisor,
    LateReasonRecorded, InfoCompletionOverdue, TaskScheduled, TaskOverdue, TaskDone, TaskCancelled,
    DeadlinesMoved, LeadInvalidationProposed, InvalidationDismissed,
)  # fmt: skip
