"""First follow-ups: a row for each time that somebody was to reach a customer, and how it went.

A task is its owner's for good, whoever has the lead later (R110). It ends with another task for the
lead, or when the lead is closed or goes to a pool. The time of the contact decides, not that of its
record: a contact recorded later is an answer too if it took place before the task ended (A30).
What was due when, the log says; so no policy is asked, and none that is activated later counts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from aggregates.event import Event, Recorded
from aggregates.lead import events as e
from aggregates.lead import time_events as t
from aggregates.lead.state import earliest
from aggregates.lead.timers import FIRST_FOLLOW_UP
from projections.base import Projection, Table, View, WorkingSet
from projections.masking import masked

PENDING, MET, LATE, OPEN_OVERDUE, WITHDRAWN = (
    "pending", "met", "late", "open_overdue", "withdrawn",
)  # fmt: skip


@dataclass(slots=True)
class LeadTeamRow:
    """The team that a lead belongs to, for the next task of it."""

    lead: UUID
    team: str | None = None


@dataclass(slots=True)
class ResponseTaskRow:
    """A first follow-up as it was issued at `position`. Times are UTC.

    `response_at`: the first contact that reached the customer, of those before the end. `ended_at`:
    since when it is no longer to be done. `level` gave it its time.
    """

    lead: UUID
    position: int
    owner: str
    team: str | None
    level: str
    since: datetime
    due_at: datetime
    state: str = PENDING
    breached: bool = False
    response_at: datetime | None = None
    ended_at: datetime | None = None
    escalated: bool = False
    reason: str | None = None


@dataclass(slots=True)
class PauseRow:
    """A pause of a lead; `until` None = it lasts."""

    lead: UUID
    position: int
    since: datetime
    until: datetime | None = None


TEAMS = Table("lead_teams", LeadTeamRow, key=("lead",))
TASKS = Table("response_tasks", ResponseTaskRow, key=("lead", "position"))
PAUSES = Table("lead_pauses", PauseRow, key=("lead", "position"))


class _Lead:
    """What is known of one lead, its tasks and pauses in the order of the log."""

    def __init__(self, row: LeadTeamRow) -> None:
        self.row = row
        self.tasks: list[ResponseTaskRow] = []
        self.pauses: list[PauseRow] = []

    @property
    def current(self) -> ResponseTaskRow | None:
        """The task that is to be done, answered or not."""
        return self.tasks[-1] if self.tasks and self.tasks[-1].ended_at is None else None


def state_of(task: ResponseTaskRow) -> str:
    """How it went. While the lead is paused nothing is late (A26): there is no breach then."""
    if task.response_at:
        return LATE if task.breached and task.response_at > task.due_at else MET
    if task.ended_at:
        return LATE if task.breached else WITHDRAWN
    return OPEN_OVERDUE if task.breached else PENDING


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """Keep the tasks of every lead in step, event by event."""
    teams, tasks, pauses = (working.rows(table) for table in (TEAMS, TASKS, PAUSES))
    leads = {lead: _Lead(row) for lead, row in teams.items()}
    for (lead, _), task in sorted(tasks.items(), key=_place):
        leads[lead].tasks.append(task)
    for (lead, _), pause in sorted(pauses.items(), key=_place):
        leads[lead].pauses.append(pause)
    for recorded in batch:
        if recorded.stream not in leads:
            row = teams[recorded.stream] = LeadTeamRow(recorded.stream)
            leads[recorded.stream] = _Lead(row)
        _HANDLERS[type(recorded.event)](leads[recorded.stream], recorded, recorded.event)
    for lead in leads.values():
        for task in lead.tasks:
            task.state = state_of(task)
        tasks.update(((task.lead, task.position), task) for task in lead.tasks)
        pauses.update(((pause.lead, pause.position), pause) for pause in lead.pauses)


def _place(entry: tuple[tuple[UUID, int], Any]) -> int:
    return entry[0][1]


def _at(recorded: Recorded) -> datetime:
    return recorded.event.occurred_at or recorded.recorded_at


def _end(lead: _Lead, recorded: Recorded, _: Event) -> None:
    if lead.current:
        lead.current.ended_at = _at(recorded)


def _issued(lead: _Lead, recorded: Recorded, event: t.FirstFollowUpTaskIssued) -> None:
    _end(lead, recorded, event)
    lead.tasks.append(
        ResponseTaskRow(
            lead=recorded.stream,
            position=recorded.position,
            owner=event.owner,
            team=lead.row.team,
            level=event.level,
            since=_at(recorded),
            due_at=event.due_at,
        )
    )


def _moved(lead: _Lead, _: Recorded, event: t.DeadlinesMoved) -> None:
    for clock in event.clocks:
        if clock.name == FIRST_FOLLOW_UP and (task := lead.current):
            task.due_at, task.level = clock.due_at, event.level or task.level


def _breached(lead: _Lead, _: Recorded, __: t.FirstResponseBreached) -> None:
    if lead.current:
        lead.current.breached = True


def _escalated(lead: _Lead, _: Recorded, __: t.EscalatedToSupervisor) -> None:
    if lead.current:
        lead.current.escalated = True


def _explained(lead: _Lead, _: Recorded, event: t.LateReasonRecorded) -> None:
    """The reason is owed for what was escalated; without that it is about the last task."""
    owed = [task for task in lead.tasks if task.escalated and not task.reason]
    for task in (owed or lead.tasks)[-1:]:
        task.reason = event.reason


def _contacted(lead: _Lead, _: Recorded, event: e.FollowUpRecorded) -> None:
    if event.connected and (at := event.occurred_at):
        for task in lead.tasks:
            if task.ended_at is None or at <= task.ended_at:
                task.response_at = earliest(task.response_at, at)


def _paused(lead: _Lead, recorded: Recorded, _: e.LeadPaused) -> None:
    """A pause that is changed goes on."""
    if not lead.pauses or lead.pauses[-1].until:
        lead.pauses.append(PauseRow(recorded.stream, recorded.position, _at(recorded)))


def _resumed(lead: _Lead, recorded: Recorded, _: e.LeadResumed) -> None:
    if lead.pauses and not lead.pauses[-1].until:
        lead.pauses[-1].until = _at(recorded)


def _described(lead: _Lead, _: Recorded, event: e.LeadCaptured | e.InfoChanged) -> None:
    lead.row.team = event.details.get("team", lead.row.team)


def _converted(lead: _Lead, recorded: Recorded, event: e.LeadConverted) -> None:
    lead.row.team = event.details.get("team", lead.row.team)
    _end(lead, recorded, event)


def _assigned(lead: _Lead, _: Recorded, event: e.LeadAssigned) -> None:
    lead.row.team = event.team or event.details.get("team", lead.row.team)


def _owned(
    lead: _Lead,
    _: Recorded,
    event: e.LeadReassigned | e.LeadHandedOver | e.LeadClaimed | e.LeadTeamChanged,
) -> None:
    lead.row.team = event.team


def _released(lead: _Lead, recorded: Recorded, event: e.LeadReleasedToPool) -> None:
    lead.row.team = None
    _end(lead, recorded, event)


_HANDLERS: Mapping[type[Event], Callable[[_Lead, Recorded, Any], None]] = {
    t.FirstFollowUpTaskIssued: _issued,
    t.DeadlinesMoved: _moved,
    t.FirstResponseBreached: _breached,
    t.EscalatedToSupervisor: _escalated,
    t.LateReasonRecorded: _explained,
    e.FollowUpRecorded: _contacted,
    e.LeadPaused: _paused,
    e.LeadResumed: _resumed,
    e.LeadCaptured: _described,
    e.InfoChanged: _described,
    e.LeadConverted: _converted,
    e.LeadAssigned: _assigned,
    e.LeadReassigned: _owned,
    e.LeadHandedOver: _owned,
    e.LeadClaimed: _owned,
    e.LeadTeamChanged: _owned,
    e.LeadReleasedToPool: _released,
    e.LeadsMerged: _end,
    e.LeadInvalidated: _end,
}
EVENTS = tuple(_HANDLERS)

VIEW = View(
    name="first_follow_ups",
    comment="First follow-ups as they were issued, one row each: due when, and how it went.",
    query=(
        "SELECT lead, position, owner, team, level, since, due_at, state, breached, response_at,"
        " CASE WHEN state = 'late'"
        " THEN extract(epoch FROM response_at - due_at)::float8 END AS late_seconds,"
        " ended_at, escalated, reason FROM {rows} r"
    ),
    scoped="response_tasks",
    columns={
        "lead": "Stream id of the lead.",
        "position": "Log position of the event that issued the task.",
        "owner": "Whose task it was, whoever has the lead now.",
        "team": "The team that the lead belonged to when it was issued.",
        "level": "The level that gave it its time.",
        "since": "From when its time ran.",
        "due_at": "When it was due, as it stands after pauses and other levels.",
        "state": "pending, met, late, open_overdue; withdrawn = ended before it was due.",
        "breached": "Whether it was recorded as due and not done; a contact recorded later may"
        " show that it was met.",
        "response_at": "The first contact that reached the customer before the task ended.",
        "late_seconds": "How long after the due instant that was; null unless late and answered.",
        "ended_at": "Another task, a pool or the close of the lead ended it.",
        "escalated": "Whether the supervisor was told.",
        "reason": "The reason given for being late, masked.",
    },
)

PROJECTION = Projection(
    "sla",
    2,
    EVENTS,
    (TEAMS, TASKS, PAUSES),
    masked(fold, textless=[event for event in EVENTS if event is not t.LateReasonRecorded]),
    (VIEW,),
)
