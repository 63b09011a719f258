"""What a review would find of a lead, and from when to when that was known (R103, R109, R110).

A stretch begins and ends when an event is recorded; where a clock made the event, when it rang,
however late that was recorded. So a review that is opened after a standstill finds what it would
have found at its period's end.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from aggregates.event import Event, Recorded
from aggregates.lead import events as e
from aggregates.lead import time_events as t
from projections.review_tables import (
    ESCALATED,
    LATE,
    PAUSED,
    UNOWNED,
    FindingRow,
    LapseRow,
    StandingRow,
)

Name: TypeAlias = tuple[str, int]
"""The finding, and which of the lead's lapses it is."""

_RANG: frozenset[type[Event]] = frozenset({
    t.FirstResponseBreached, t.EscalatedToSupervisor, t.InfoCompletionOverdue, t.TaskOverdue,
    e.LeadResumed,
})  # fmt: skip


class Said(NamedTuple):
    """What is known of a finding: the columns of its row."""

    since: datetime | None
    owner: str | None
    team: str | None
    task: str | None = None
    late_reason: str | None = None
    resume_at: datetime | None = None
    unassignable_since: datetime | None = None
    paused_seconds: float | None = None


def of(row: StandingRow, lapses: Sequence[LapseRow]) -> dict[Name, Said]:
    """What there is to be found. Who was late counts for who was so, in the team of that time; what
    is still to be done is its present owner's.
    """
    found: dict[Name, Said] = {}
    if row.merged:
        return found
    is_open = row.captured and not (row.converted or row.invalidated or row.erased)
    for nr, lapse in enumerate(lapses):
        if lapse.kind in (LATE, ESCALATED):
            found[lapse.kind, nr] = Said(
                lapse.at, lapse.owner, lapse.team, lapse.task, lapse.late_reason
            )
        elif is_open and lapse.is_open:
            owner = row.owner or lapse.owner
            found[lapse.kind, nr] = Said(lapse.at, owner, row.team, lapse.task)
    if is_open and row.paused:
        found[PAUSED, 0] = Said(
            row.paused_since,
            row.owner,
            row.team,
            resume_at=row.resume_at,
            paused_seconds=row.paused_seconds,
        )
    if is_open and row.daily and row.owner is None and row.pool is None:
        since = row.unassignable_since
        found[UNOWNED, 0] = Said(row.captured_at, None, row.team, unassignable_since=since)
    return found


def keep(
    rows: dict[Any, FindingRow],
    current: dict[Name, FindingRow],
    found: Mapping[Name, Said],
    recorded: Recorded,
) -> None:
    """End what is found no more, or otherwise, and begin what is found now. A stretch in which no
    time passed is nobody's: it goes.
    """
    at = _known_at(recorded)
    for name, row in list(current.items()):
        if found.get(name) != Said(*(getattr(row, column) for column in Said._fields)):
            row.known_until = at
            del current[name]
            if at <= row.known_from:
                del rows[row.lead, row.position, *name]
    for name in found.keys() - current.keys():
        row = FindingRow(
            recorded.stream, recorded.position, *name, at, None, **found[name]._asdict()
        )
        rows[recorded.stream, recorded.position, *name] = current[name] = row


def _known_at(recorded: Recorded) -> datetime:
    at = recorded.event.occurred_at
    rang = at is not None and type(recorded.event) in _RANG
    return min(at, recorded.recorded_at) if at and rang else recorded.recorded_at
