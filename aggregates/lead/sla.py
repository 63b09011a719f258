"""How each first follow-up of a lead was met, from its history (R38-R42, R104-R106, A10, A31).

One for every time that somebody got the lead, until the customer was reached. Two clocks tell how
long that took: since the capture, which is what the customer feels, and since this owner had it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from aggregates.event import Event
from aggregates.lead import events as e
from aggregates.lead import time_events as t
from aggregates.lead.evolve import evolve
from aggregates.lead.state import Lead
from aggregates.lead.timers import ESCALATION, FIRST_FOLLOW_UP

MET, LATE, RUNNING, OVERDUE, ENDED = "met", "late", "running", "overdue", "ended"


@dataclass(frozen=True, slots=True)
class FirstFollowUp:
    """A first follow-up that was asked for. `escalate_at` None: another says when, or the
    supervisor had been told before.

    `outcome`: met or late (it was done), running or overdue (it is to be done), ended (the owner
    lost the lead, or it was closed). `late`: seconds after it was due, so far while it is overdue.
    `paused`: seconds of pauses within it. `since_capture`, `since_assignment`: seconds to the
    response.
    """

    owner: str
    level: str
    issued_at: datetime
    due_at: datetime
    escalate_at: datetime | None = None
    breached_at: datetime | None = None
    escalated_at: datetime | None = None
    response_at: datetime | None = None
    responded_by: str | None = None
    ended_at: datetime | None = None
    since_capture: float | None = None
    since_assignment: float | None = None
    late: float = 0.0
    paused: float = 0.0
    outcome: str = RUNNING
    reason: str | None = None
    note: str | None = None


def first_follow_ups(lead: UUID, history: Sequence[Event], now: datetime) -> list[FirstFollowUp]:
    """Those that were asked for up to `now`, in order."""
    found: list[FirstFollowUp] = []
    state = Lead(lead)
    for event in history:
        before, state = state, evolve(state, event)
        if isinstance(event, t.FirstFollowUpTaskIssued):
            found[-1:] = [_ended(task, event.occurred_at) for task in found[-1:]]
            found.append(_issued(event))
        elif found:
            found[-1] = _after(found[-1], event, before, state)
    found[-1:] = [_until(task, state, now) for task in found[-1:]]
    return found


def _issued(event: t.FirstFollowUpTaskIssued) -> FirstFollowUp:
    assert event.occurred_at is not None
    return FirstFollowUp(
        event.owner, event.level, event.occurred_at, event.due_at, event.escalate_at
    )


def _after(task: FirstFollowUp, event: Event, before: Lead, after: Lead) -> FirstFollowUp:
    """The task after one more event of its lead."""
    at = event.occurred_at
    match event:
        case t.FirstResponseBreached():
            task = replace(task, breached_at=at)
        case t.EscalatedToSupervisor():
            task = replace(task, escalated_at=at)
        case t.LateReasonRecorded():
            task = replace(task, reason=event.reason, note=event.note)
        case t.FirstResponseMade():
            task = _responded(task, event)
        case t.DeadlinesMoved():
            task = _moved(task, event)
        case e.FollowUpRecorded(connected=True):
            task = _earlier(task, event)
        case e.LeadResumed() if task.ended_at is None:
            task = _paused(task, before, at)
    gone = FIRST_FOLLOW_UP in before.timers and FIRST_FOLLOW_UP not in after.timers
    return _ended(task, at) if gone else task


def _responded(task: FirstFollowUp, event: t.FirstResponseMade) -> FirstFollowUp:
    if task.ended_at:
        return task
    late = event.late or 0.0
    return replace(
        task,
        response_at=event.occurred_at,
        responded_by=event.by,
        since_capture=event.since_capture,
        since_assignment=event.since_assignment,
        late=late,
        outcome=LATE if late else MET,
        ended_at=event.occurred_at,
    )


def _earlier(task: FirstFollowUp, event: e.FollowUpRecorded) -> FirstFollowUp:
    """A contact that was recorded later may have been the first one: its own time decides (A30)."""
    at, before = event.occurred_at, task.response_at
    if not (at and before) or at >= before:
        return task
    sooner = (before - at).total_seconds()
    late = max((at - task.due_at).total_seconds(), 0.0) if task.breached_at else 0.0
    return replace(
        task,
        response_at=at,
        responded_by=event.by,
        since_capture=None if task.since_capture is None else task.since_capture - sooner,
        since_assignment=None if task.since_assignment is None else task.since_assignment - sooner,
        late=late,
        outcome=LATE if late else MET,
        ended_at=at,
    )


def _moved(task: FirstFollowUp, event: t.DeadlinesMoved) -> FirstFollowUp:
    due: dict[str, Any] = {clock.name: clock.due_at for clock in event.clocks}
    return replace(
        task,
        level=event.level or task.level,
        due_at=due.get(FIRST_FOLLOW_UP, task.due_at),
        escalate_at=due.get(ESCALATION, task.escalate_at) if task.escalate_at else None,
    )


def _paused(task: FirstFollowUp, lead: Lead, until: datetime | None) -> FirstFollowUp:
    """A pause within the task is over."""
    if not (lead.pause and lead.pause.since and until):
        return task
    seconds = (until - max(lead.pause.since, task.issued_at)).total_seconds()
    return replace(task, paused=task.paused + max(seconds, 0.0))


def _ended(task: FirstFollowUp, at: datetime | None) -> FirstFollowUp:
    """Nobody is to do it any more."""
    return task if task.ended_at else replace(task, ended_at=at, outcome=ENDED)


def _until(task: FirstFollowUp, lead: Lead, now: datetime) -> FirstFollowUp:
    """The last one as it stands now."""
    if task.ended_at:
        return task
    task = _paused(task, lead, now)
    if task.breached_at is None:
        return task
    return replace(task, outcome=OVERDUE, late=max((now - task.due_at).total_seconds(), 0.0))
