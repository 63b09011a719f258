"""When something is next due on a lead, for the order and the filter of lists (R11).

A fold of the clocks that ask the owner for something: they were started, moved, rang and ended in
the log. While a lead is paused, nothing is due (R108).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from aggregates.event import Event, Recorded
from aggregates.lead import time_events as t
from aggregates.lead.timers import COMPLETE_INFO, FIRST_FOLLOW_UP
from projections.tasks import RANKS, UNRATED_RANK


class Clocked(Protocol):
    """A row of a lead. `clocks`: when which is due, UTC; `rang`: those of them that are overdue."""

    captured: bool
    merged: bool
    converted: bool
    invalidated: bool
    paused: bool
    level: str | None
    level_rank: int
    clocks: dict[str, Any]
    rang: list[str]
    due_at: datetime | None
    overdue: bool
    erased_at: datetime | None


def settle(row: Clocked) -> None:
    """What follows from the clocks and the label: what is due next, its place among others.

    None runs for a lead that is closed or erased, nor for one that is not captured yet.
    """
    closed = row.merged or row.converted or row.invalidated or row.erased_at
    if not row.captured or closed:
        row.clocks, row.rang = {}, []
    row.level_rank = RANKS.get(row.level, UNRATED_RANK)
    due = () if row.paused else map(datetime.fromisoformat, row.clocks.values())
    row.due_at = min(due, default=None)
    row.overdue = bool(row.rang) and not row.paused


def end(row: Clocked, name: str) -> None:
    """What the clock asks for is done, or is not to be done any more."""
    row.clocks.pop(name, None)
    row.rang = [other for other in row.rang if other != name]


def _start(row: Clocked, name: str, due_at: datetime) -> None:
    end(row, name)
    row.clocks[name] = due_at.astimezone(UTC).isoformat()


def _ring(row: Clocked, name: str) -> None:
    if name in row.clocks:
        row.rang = sorted({*row.rang, name})


def _issued(row: Clocked, _: Recorded, event: t.FirstFollowUpTaskIssued) -> None:
    _start(row, FIRST_FOLLOW_UP, event.due_at)


def _scheduled(row: Clocked, _: Recorded, event: t.TaskScheduled) -> None:
    _start(row, event.task, event.due_at)


def _moved(row: Clocked, _: Recorded, event: t.DeadlinesMoved) -> None:
    for clock in event.clocks:
        if clock.name in row.clocks:
            row.clocks[clock.name] = clock.due_at.astimezone(UTC).isoformat()


def _breached(row: Clocked, _: Recorded, __: t.FirstResponseBreached) -> None:
    _ring(row, FIRST_FOLLOW_UP)


def _incomplete(row: Clocked, _: Recorded, __: t.InfoCompletionOverdue) -> None:
    _ring(row, COMPLETE_INFO)


def _overdue(row: Clocked, _: Recorded, event: t.TaskOverdue) -> None:
    _ring(row, event.task)


def _reached(row: Clocked, _: Recorded, __: t.FirstResponseMade) -> None:
    end(row, FIRST_FOLLOW_UP)


def _over(row: Clocked, _: Recorded, event: t.TaskDone | t.TaskCancelled) -> None:
    end(row, event.task)


HANDLERS: Mapping[type[Event], Callable[[Any, Recorded, Any], None]] = {
    t.FirstFollowUpTaskIssued: _issued,
    t.TaskScheduled: _scheduled,
    t.DeadlinesMoved: _moved,
    t.FirstResponseBreached: _breached,
    t.InfoCompletionOverdue: _incomplete,
    t.TaskOverdue: _overdue,
    t.FirstResponseMade: _reached,
    t.TaskDone: _over,
    t.TaskCancelled: _over,
}
