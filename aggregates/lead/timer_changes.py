"""What a step of a lead's life did to its clocks: armed, moved, rang or closed them."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from aggregates.event import Event
from aggregates.lead.state import Lead
from aggregates.lead.time_events import DeadlinesMoved, EscalatedToSupervisor
from aggregates.lead.timers import ESCALATION, Timer


class Turn(StrEnum):
    """What became of a clock. One that is armed anew starts from now, one that is moved goes on."""

    ARMED = "armed"
    MOVED = "moved"
    RANG = "rang"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TimerChange:
    """The clock of this name before and after; None = there was, or is, none."""

    name: str
    change: Turn
    before: Timer | None
    after: Timer | None


def timer_changes(before: Lead, after: Lead, event: Event) -> tuple[TimerChange, ...]:
    """The clocks that the event changed, by name."""
    return tuple(_changes(before, after, event))


def _changes(before: Lead, after: Lead, event: Event) -> Iterator[TimerChange]:
    for name in sorted({**before.timers, **after.timers}):
        old, new = before.timers.get(name), after.timers.get(name)
        if old != new:
            yield TimerChange(name, _turn(name, old, new, event), old, new)


def _turn(name: str, old: Timer | None, new: Timer | None, event: Event) -> Turn:
    if new is None:
        # The clock that tells the supervisor is gone when it has rung.
        rang = name == ESCALATION and isinstance(event, EscalatedToSupervisor)
        return Turn.RANG if rang else Turn.CLOSED
    if old and new.overdue and not old.overdue:
        return Turn.RANG
    return Turn.MOVED if isinstance(event, DeadlinesMoved) else Turn.ARMED
