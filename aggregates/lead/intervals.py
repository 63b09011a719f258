"""How long a lead was in each stage and with each owner, from its history (R52, R58, R102).

The intervals follow each other without a gap and last together exactly as long as the lead is
old: from its capture to now, or to its invalidation. They are in order of time, as durations of
stages are; a change at an unknown time is taken to have come with the fact recorded before it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from aggregates.event import Event
from aggregates.lead.evolve import evolve
from aggregates.lead.state import Disposition, Lead

Value = Callable[[Lead], Any]
State = tuple[datetime | None, Lead]


@dataclass(frozen=True, slots=True)
class Interval:
    """From `since` to `until` (None = still) the lead had this value; `paused` is part of it."""

    value: str | None
    since: datetime
    until: datetime | None
    lasted: timedelta
    paused: timedelta


@dataclass(frozen=True, slots=True)
class Intervals:
    """The intervals, the pauses (their value is the reason), and the age of the lead."""

    items: Sequence[Interval] = ()
    pauses: Sequence[Interval] = ()
    age: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class _Life:
    born: datetime
    end: datetime
    lives: bool


@dataclass(frozen=True, slots=True)
class _Span:
    value: Any
    since: datetime
    until: datetime
    still: bool = False


def intervals(lead: UUID, history: Sequence[Event], value: Value, now: datetime) -> Intervals:
    """What `value` was when, up to `now`; nothing for a lead whose capture time is unknown."""
    states = list(_states(Lead(lead), history))
    life = _life(states, now)
    if life is None:
        return Intervals()
    pauses = [span for span in _spans(states, _pause_reason, life) if span.value is not None]
    return Intervals(
        [_interval(span, pauses) for span in _spans(states, value, life)],
        [_interval(span, [span]) for span in pauses],
        life.end - life.born,
    )


def _states(lead: Lead, history: Sequence[Event]) -> Iterator[State]:
    """The lead after each event, and when that was."""
    at: datetime | None = None
    for event in history:
        at = event.occurred_at or at
        lead = evolve(lead, event)
        yield at, lead


def _life(states: Sequence[State], now: datetime) -> _Life | None:
    born = states[-1][1].captured_at if states else None
    if born is None:
        return None
    lives = states[-1][1].disposition is not Disposition.INVALID
    lost = [at for at, invalid in _changes(states, _is_invalid) if invalid]
    end = now if lives else lost[-1] or born
    return _Life(born, max(born, end), lives)


def _changes(states: Sequence[State], value: Value) -> Iterator[tuple[datetime | None, Any]]:
    """When the value became another one, and which, in the order of recording."""
    before = None
    for at, lead in states:
        if (after := value(lead)) != before:
            yield at, after
        before = after


def _spans(states: Sequence[State], value: Value, life: _Life) -> list[_Span]:
    """The values within the lead's life in order of time; none that lasted no time but the last."""

    def within(at: datetime | None) -> datetime:
        return min(max(at or life.born, life.born), life.end)

    changes = sorted(((within(at), v) for at, v in _changes(states, value)), key=lambda c: c[0])
    marks = [(life.born, None), *changes, (life.end, None)]
    *spans, last = [_Span(v, since, until) for (since, v), (until, _) in pairwise(marks)]
    return [*(s for s in spans if s.since < s.until), replace(last, still=life.lives)]


def _interval(span: _Span, pauses: Sequence[_Span]) -> Interval:
    shared = (min(span.until, p.until) - max(span.since, p.since) for p in pauses)
    paused = sum((max(s, timedelta(0)) for s in shared), timedelta(0))
    until = None if span.still else span.until
    return Interval(span.value, span.since, until, span.until - span.since, paused)


def _pause_reason(lead: Lead) -> str | None:
    """None = it is not paused; "" where the reason was erased."""
    return lead.pause.reason or "" if lead.pause else None


def _is_invalid(lead: Lead) -> bool:
    return lead.invalidated
