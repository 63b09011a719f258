"""What has become due on a lead: one pure function of the lead and the instant.

It says the same however late it is asked, in one go or step by step: everything happens at its due
instant, in order, and what an end of a pause sets going again counts from there (R40, A11, A26).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from aggregates.event import Event
from aggregates.lead import timers
from aggregates.lead.events import LeadResumed
from aggregates.lead.evolve import fold
from aggregates.lead.follow_through import follow_through, is_open
from aggregates.lead.state import Lead
from aggregates.lead.time_events import (
    EscalatedToSupervisor,
    FirstResponseBreached,
    InfoCompletionOverdue,
    TaskOverdue,
)
from aggregates.lead.timing import Timing, level_of

PAUSE = "pause"
_ORDER = (timers.COMPLETE_INFO, timers.FIRST_FOLLOW_UP, timers.ESCALATION)
"""Of what is due at one instant; tasks come last."""


class Due(NamedTuple):
    """What rings next: the instant, UTC, its turn among others at that instant, its name."""

    at: datetime
    turn: int
    name: str


def next_due(lead: Lead) -> Due | None:
    """What rings next on a lead: the end of its pause, else the first of its clocks."""
    if not is_open(lead):
        return None
    if lead.pause:
        return Due(lead.pause.resume_at, 0, PAUSE) if lead.pause.resume_at else None
    ringing = (Due(t.rings_at, _turn(t.kind), n) for n, t in lead.timers.items() if t.rings_at)
    return min(ringing, default=None)


def is_behind(lead: Lead, now: datetime) -> bool:
    """Whether something is due that has not been recorded."""
    due = next_due(lead)
    return due is not None and due.at <= now


def expire(lead: Lead, *, now: datetime, timing: Timing) -> list[Event]:
    """Everything that is due by `now`, in order; nothing if the lead is not behind."""
    events: list[Event] = []
    while (due := next_due(lead)) and due.at <= now:
        new = _resume(lead, due, timing) if due.name == PAUSE else [_ring(lead, due, timing)]
        lead = fold(lead, new)
        events += new
    return events


def _resume(lead: Lead, due: Due, timing: Timing) -> Sequence[Event]:
    resumed = [LeadResumed(occurred_at=due.at, by_clock=True)]
    return follow_through(lead, resumed, now=due.at, timing=timing).events


def _ring(lead: Lead, due: Due, timing: Timing) -> Event:
    team = lead.profile.get("team")
    timer = lead.timers[due.name]
    match timer.kind:
        case timers.COMPLETE_INFO:
            return InfoCompletionOverdue(
                occurred_at=due.at,
                missing=lead.missing,
                responsible=lead.owner or lead.entered_by,
                supervisors=timing.supervisors(team),
                policy=timer.policy,
            )
        case timers.FIRST_FOLLOW_UP:
            owner, level = timer.owner or lead.owner or "", timer.level or level_of(lead)
            return FirstResponseBreached(
                occurred_at=due.at, owner=owner, level=level, policy=timer.policy
            )
        case timers.ESCALATION:
            return EscalatedToSupervisor(
                occurred_at=due.at,
                owner=lead.owner or "",
                team=team,
                supervisors=timing.supervisors(team),
                policy=timer.policy,
            )
        case _:
            told = () if lead.owner else timing.supervisors(team)
            return TaskOverdue(
                occurred_at=due.at, task=due.name, owner=lead.owner, supervisors=told
            )


def _turn(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)
