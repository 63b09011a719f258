"""What is to be done about every lead, by whom and until when; and what rings next (R11, R37).

The clocks of a lead as the log started, moved and ended them: a row for each, by its name. The
sweep for what is due asks for `rings_at`, the work queue for `state`, `level_rank` and `due_at`.
Rows of what is over stay until another task of the name takes their place.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from aggregates.event import Event, Recorded
from aggregates.lead import events as e
from aggregates.lead import time_events as t
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.lead.timers import (
    COMPLETE_INFO,
    ESCALATION,
    FIRST_FOLLOW_UP,
    LATE_REASON,
    OF_THE_OWNER,
    STAGE,
)
from projections.base import Projection, Table, WorkingSet
from projections.masking import masked
from projections.openness import FLAGS
from projections.timed_leads import TIMED, LeadRow, change, wait_for_clocks

OPEN, DONE, CANCELLED = "open", "done", "cancelled"
PAUSE = "pause"
RANKS: Mapping[str | None, int] = {"high": 0, "medium": 1, "low": 2}
UNRATED_RANK = 3
NAMED = (FIRST_FOLLOW_UP, ESCALATION, LATE_REASON)
"""Tasks of the person whom the lead had when they arose; any other is its present owner's."""
LEFT_TO_START = (FIRST_FOLLOW_UP, STAGE)
"""Clocks that an import does not start."""


@dataclass(slots=True)
class TaskRow:
    """A clock of a lead. `owner`: whose task it is; nobody's while the lead is in a pool. Times are
    UTC; `rang_at` = it was overdue at that instant, `rings_at` = it will be, if nothing happens.
    """

    lead: UUID
    name: str
    kind: str
    owner: str | None = None
    team: str | None = None
    level_rank: int = UNRATED_RANK
    since: datetime | None = None
    due_at: datetime | None = None
    due_on: date | None = None
    follow_up: str | None = None
    stage: str | None = None
    state: str = OPEN
    overdue: bool = False
    rang_at: datetime | None = None
    done_at: datetime | None = None
    done_by: str | None = None
    escalated_to: list[str] = field(default_factory=list)
    reason: str | None = None
    paused: bool = False
    rings_at: datetime | None = None
    position: int = 0


IN_TURN = "level_rank, coalesce(due_at, 'infinity'), lead, name"
"""The order of the work queue (R11)."""
TO_DO = f"kind NOT IN ('{ESCALATION}', '{PAUSE}')"
"""What somebody is to do; the others are for the clock alone."""
FOR_SUPERVISORS = f"(kind IN ('{LATE_REASON}', '{PAUSE}') OR kind = '{COMPLETE_INFO}' AND overdue)"
WAYS = ("", "owner, ", "team, ")
"""Lists are of all tasks, of somebody's or of a team's."""
TASKS = Table(
    "tasks",
    TaskRow,
    key=("lead", "name"),
    indexes=(
        "(rings_at) WHERE rings_at IS NOT NULL",
        *(f"({way}state, {IN_TURN}) WHERE {TO_DO}" for way in WAYS),
        *(f"({way}kind, state, level_rank, position) WHERE {FOR_SUPERVISORS}" for way in WAYS),
    ),
)


@dataclass(frozen=True, slots=True)
class _Lead:
    """One lead and its tasks by name."""

    row: LeadRow
    tasks: dict[str, TaskRow]

    def start(self, name: str, kind: str, recorded: Recorded, **known: Any) -> None:
        """Another task of the name takes the place of the one before."""
        since = known.pop("since", recorded.event.occurred_at)
        self.tasks[name] = TaskRow(
            self.row.lead, name, kind, since=since, position=recorded.position, **known
        )
        if kind in LEFT_TO_START:
            self.row.arms_from = self.row.arms_since = None

    @property
    def was_started(self) -> bool:
        """Whether a clock of those ever was started."""
        return any(task.kind in LEFT_TO_START for task in self.tasks.values())

    def end(self, name: str, state: str, at: datetime | None, by: str | None = None) -> None:
        """The task is over, if it was open."""
        task = self.tasks.get(name)
        if task and task.state == OPEN:
            task.state, task.done_at, task.done_by = state, at, by

    def ring(self, name: str, at: datetime | None) -> None:
        """The task is overdue."""
        if task := self.tasks.get(name):
            task.overdue, task.rang_at = True, at

    def settle(self) -> None:
        """What depends on the lead: whose tasks they are, whether they go on, when they ring."""
        row = self.row
        rank = RANKS.get(row.level, UNRATED_RANK)
        for task in self.tasks.values():
            if task.state != OPEN:
                task.rings_at = None
                continue
            if not row.is_open:
                task.state, task.rings_at = CANCELLED, None
                continue
            if task.kind not in NAMED:
                entered_by = row.entered_by if task.kind == COMPLETE_INFO else None  # A8
                task.owner = row.owner or entered_by
            task.team, task.level_rank = row.team, rank
            task.paused = row.paused and task.kind != PAUSE
            task.rings_at = None if task.overdue or task.paused else task.due_at


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """Keep every lead's clocks in step, event by event."""
    leads, tasks = working.rows(TIMED), working.rows(TASKS)
    known: dict[UUID, _Lead] = {}
    for (lead, name), task in tasks.items():
        known.setdefault(lead, _Lead(leads[lead], {})).tasks[name] = task
    for recorded in batch:
        lead_id = recorded.stream
        if (lead := known.get(lead_id)) is None:
            row = leads.get(lead_id) or LeadRow(lead_id)
            lead = known[lead_id] = _Lead(row, {})
        change(lead.row, recorded)
        wait_for_clocks(lead.row, recorded, was_started=lead.was_started)
        if handler := _HANDLERS.get(type(recorded.event)):
            handler(lead, recorded, recorded.event)
        lead.settle()
    for lead_id, lead in known.items():
        leads[lead_id] = lead.row
        tasks.update(((lead_id, name), task) for name, task in lead.tasks.items())


def _issued(lead: _Lead, recorded: Recorded, event: t.FirstFollowUpTaskIssued) -> None:
    lead.start(FIRST_FOLLOW_UP, FIRST_FOLLOW_UP, recorded, owner=event.owner, due_at=event.due_at)
    if event.escalate_at:
        lead.start(ESCALATION, ESCALATION, recorded, owner=event.owner, due_at=event.escalate_at)


def _scheduled(lead: _Lead, recorded: Recorded, event: t.TaskScheduled) -> None:
    lead.start(
        event.task,
        event.kind,
        recorded,
        due_at=event.due_at,
        due_on=event.due_on,
        follow_up=event.follow_up,
        stage=event.stage,
    )


def _moved(lead: _Lead, _: Recorded, event: t.DeadlinesMoved) -> None:
    for clock in event.clocks:
        if task := lead.tasks.get(clock.name):
            task.due_at = clock.due_at


def _breached(lead: _Lead, recorded: Recorded, _: t.FirstResponseBreached) -> None:
    lead.ring(FIRST_FOLLOW_UP, recorded.event.occurred_at)


def _incomplete(lead: _Lead, recorded: Recorded, _: t.InfoCompletionOverdue) -> None:
    lead.ring(COMPLETE_INFO, recorded.event.occurred_at)


def _overdue(lead: _Lead, recorded: Recorded, event: t.TaskOverdue) -> None:
    lead.ring(event.task, recorded.event.occurred_at)


def _escalated(lead: _Lead, recorded: Recorded, event: t.EscalatedToSupervisor) -> None:
    lead.ring(ESCALATION, event.occurred_at)
    lead.end(ESCALATION, DONE, event.occurred_at)
    told = list(event.supervisors)
    lead.start(LATE_REASON, LATE_REASON, recorded, owner=event.owner, escalated_to=told)


def _explained(lead: _Lead, _: Recorded, event: t.LateReasonRecorded) -> None:
    if task := lead.tasks.get(LATE_REASON):
        task.reason = event.reason
    lead.end(LATE_REASON, DONE, event.occurred_at, event.by)


def _reached(lead: _Lead, _: Recorded, event: t.FirstResponseMade) -> None:
    lead.end(FIRST_FOLLOW_UP, DONE, event.occurred_at, event.by)
    lead.end(ESCALATION, CANCELLED, event.occurred_at, event.by)


def _completed(lead: _Lead, _: Recorded, event: e.InfoCompleted) -> None:
    lead.end(COMPLETE_INFO, DONE, event.occurred_at)


def _done(lead: _Lead, _: Recorded, event: t.TaskDone) -> None:
    lead.end(event.task, DONE, event.occurred_at, event.by)


def _cancelled(lead: _Lead, _: Recorded, event: t.TaskCancelled) -> None:
    lead.end(event.task, CANCELLED, event.occurred_at)


def _released(lead: _Lead, _: Recorded, event: e.LeadReleasedToPool) -> None:
    for name in OF_THE_OWNER:
        lead.end(name, CANCELLED, event.occurred_at)


def _paused(lead: _Lead, recorded: Recorded, event: e.LeadPaused) -> None:
    pause = lead.tasks.get(PAUSE)
    since = pause.since if pause and pause.state == OPEN else event.occurred_at
    lead.start(PAUSE, PAUSE, recorded, since=since, due_at=event.resume_at, reason=event.reason)


def _resumed(lead: _Lead, _: Recorded, event: e.LeadResumed) -> None:
    lead.end(PAUSE, DONE, event.occurred_at)


def _erased(lead: _Lead, _: Recorded, __: PersonalDataErased) -> None:
    """Why it was paused, somebody typed; why an owner was late is a code."""
    if pause := lead.tasks.get(PAUSE):
        pause.reason = None


_HANDLERS: Mapping[type[Event], Callable[[_Lead, Recorded, Any], None]] = {
    t.FirstFollowUpTaskIssued: _issued,
    t.TaskScheduled: _scheduled,
    t.DeadlinesMoved: _moved,
    t.FirstResponseBreached: _breached,
    t.InfoCompletionOverdue: _incomplete,
    t.TaskOverdue: _overdue,
    t.EscalatedToSupervisor: _escalated,
    t.LateReasonRecorded: _explained,
    t.FirstResponseMade: _reached,
    t.TaskDone: _done,
    t.TaskCancelled: _cancelled,
    e.InfoCompleted: _completed,
    e.LeadReleasedToPool: _released,
    e.LeadPaused: _paused,
    e.LeadResumed: _resumed,
    PersonalDataErased: _erased,
}

EVENTS: tuple[type[Event], ...] = (
    *FLAGS, *(event for event in _HANDLERS if event not in FLAGS),
    e.LeadCaptured, e.LeadLabelled, e.LabelOverridden, e.InfoChanged, e.LeadAssigned,
    e.LeadReassigned, e.LeadHandedOver, e.LeadClaimed, e.LeadTeamChanged, e.StageChanged,
)  # fmt: skip

_TEXTLESS = (e.InfoChanged, e.LeadConverted, e.LeadAssigned, e.StageChanged)
PROJECTION = Projection(
    "tasks",
    4,
    EVENTS,
    (TIMED, TASKS),
    masked(fold, textless=_TEXTLESS),
    personal=True,
)
