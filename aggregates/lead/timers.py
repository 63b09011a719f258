"""The clocks that run for a lead, by name, as the fold of the events of time.

A clock that has rung is `overdue` and stays until what it asks for is done; the one that tells the
supervisor is gone when it has. None of them says anything while the lead is paused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aggregates.event import Event, PolicyRef
from aggregates.lead import time_events as t

COMPLETE_INFO = "complete-info"
FIRST_FOLLOW_UP = "first-follow-up"
ESCALATION = "escalation"
LATE_REASON = "late-reason"
NEXT_STEP = "next-step"
STAGE = "stage"

OF_THE_OWNER = frozenset({FIRST_FOLLOW_UP, ESCALATION})
"""Without an owner nobody is late."""
DONE_BY_A_CONTACT = frozenset({STAGE, NEXT_STEP})


@dataclass(frozen=True, slots=True)
class Timer:
    """`due_at` None = it is to be done, and no instant is given for it. `since` and `spent` as in
    Clock. `owner` and `level`: for whom and by which level the first follow-up is due. `stage`: the
    one that asks for a task of that kind. `asked_at`: since when a contact does what is asked for.
    `policy`: the rules that say when it is due. `by_calendar`: its time is working time.
    """

    kind: str
    since: datetime
    due_at: datetime | None
    spent: float = 0.0
    owner: str | None = None
    level: str | None = None
    stage: str | None = None
    asked_at: datetime | None = None
    overdue: bool = False
    policy: PolicyRef | None = None
    by_calendar: bool = False

    @property
    def rings_at(self) -> datetime | None:
        """When it rings, if it has not yet."""
        return None if self.overdue else self.due_at


Timers = Mapping[str, Timer]
NONE: Timers = {}


def without(timers: Timers, *names: str) -> Timers:
    """The timers but for these."""
    return {name: timer for name, timer in timers.items() if name not in names}


def turned(timers: Timers, event: Event) -> Timers:
    """The timers after an event of time; one without a time of its own turns none."""
    turn = _TURN.get(type(event))
    return turn(timers, event) if turn and event.occurred_at else timers


def _issued(timers: Timers, event: t.FirstFollowUpTaskIssued) -> Timers:
    since, rules, by_calendar = _at(event), event.policy, event.calendar is not None
    first = Timer(
        FIRST_FOLLOW_UP,
        since,
        event.due_at,
        owner=event.owner,
        level=event.level,
        policy=rules,
        by_calendar=by_calendar,
    )
    if event.escalate_at is None:
        return {**timers, FIRST_FOLLOW_UP: first}
    until = event.escalate_at
    escalation = Timer(ESCALATION, since, until, policy=rules, by_calendar=by_calendar)
    return {**timers, FIRST_FOLLOW_UP: first, ESCALATION: escalation}


def _scheduled(timers: Timers, event: t.TaskScheduled) -> Timers:
    asked_at = event.asked_at or _at(event) if event.kind in DONE_BY_A_CONTACT else None
    timer = Timer(
        event.kind,
        _at(event),
        event.due_at,
        stage=event.stage,
        asked_at=asked_at,
        policy=event.policy,
        by_calendar=event.calendar is not None,
    )
    return {**timers, event.task: timer}


def _moved(timers: Timers, event: t.DeadlinesMoved) -> Timers:
    known = [(clock, timers[clock.name]) for clock in event.clocks if clock.name in timers]
    return {**timers, **{clock.name: _set(timer, clock, event) for clock, timer in known}}


def _set(timer: Timer, clock: t.Clock, event: t.DeadlinesMoved) -> Timer:
    level = event.level if event.level and timer.level else timer.level
    return replace(
        timer,
        since=clock.since,
        due_at=clock.due_at,
        spent=clock.spent,
        level=level,
        policy=event.policy or timer.policy,
    )


def _breached(timers: Timers, _: t.FirstResponseBreached) -> Timers:
    return _overdue(timers, FIRST_FOLLOW_UP)


def _completion_overdue(timers: Timers, _: t.InfoCompletionOverdue) -> Timers:
    return _overdue(timers, COMPLETE_INFO)


def _task_overdue(timers: Timers, event: t.TaskOverdue) -> Timers:
    return _overdue(timers, event.task)


def _overdue(timers: Timers, name: str) -> Timers:
    timer = timers.get(name)
    return {**timers, name: replace(timer, overdue=True)} if timer else timers


def _escalated(timers: Timers, event: t.EscalatedToSupervisor) -> Timers:
    reason = Timer(LATE_REASON, _at(event), None, owner=event.owner)
    return {**without(timers, ESCALATION), LATE_REASON: reason}


def _reached(timers: Timers, _: t.FirstResponseMade) -> Timers:
    return without(timers, *OF_THE_OWNER)


def _explained(timers: Timers, _: t.LateReasonRecorded) -> Timers:
    return without(timers, LATE_REASON)


def _over(timers: Timers, event: t.TaskDone | t.TaskCancelled) -> Timers:
    return without(timers, event.task)


def _at(event: Event) -> datetime:
    assert event.occurred_at is not None, "events without a time turn no timer"
    return event.occurred_at


_TURN: Mapping[type[Event], Callable[[Timers, Any], Timers]] = {
    t.FirstFollowUpTaskIssued: _issued,
    t.TaskScheduled: _scheduled,
    t.DeadlinesMoved: _moved,
    t.FirstResponseBreached: _breached,
    t.InfoCompletionOverdue: _completion_overdue,
    t.TaskOverdue: _task_overdue,
    t.EscalatedToSupervisor: _escalated,
    t.FirstResponseMade: _reached,
    t.LateReasonRecorded: _explained,
    t.TaskDone: _over,
    t.TaskCancelled: _over,
}
