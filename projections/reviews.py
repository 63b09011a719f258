"""Every review with its place in the list; its findings stay in the log, where it is read from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from aggregates.event import Recorded
from aggregates.review.events import EVENTS, ReviewClosed, ReviewOpened
from projections.base import Projection, Table, WorkingSet
from projections.masking import masked


@dataclass(slots=True)
class ReviewRow:
    """As in ReviewOpened and ReviewClosed. `opened_position`: where in the log it was opened;
    `position`: as of which its reports stand still.
    """

    review: UUID
    version: int = 0
    kind: str = ""
    team: str | None = None
    since: date | None = None
    until: date | None = None
    supervisors: list[str] = field(default_factory=list)
    position: int = 0
    counts: dict[str, Any] = field(default_factory=dict)
    total: int = 0
    opened_at: datetime | None = None
    opened_position: int = 0
    closed_at: datetime | None = None
    closed_by: str | None = None


REVIEWS = Table(
    "reviews", ReviewRow, key=("review",), indexes=("(opened_position)", "(team, opened_position)")
)


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """One row per review."""
    rows = working.rows(REVIEWS)
    for recorded in batch:
        row = rows.setdefault(recorded.stream, ReviewRow(recorded.stream))
        row.version = recorded.version
        match event := recorded.event:
            case ReviewOpened():
                row.kind, row.team, row.position = event.kind, event.team, event.position
                row.since, row.until = event.since, event.until
                row.supervisors = list(event.supervisors)
                row.counts, row.total = dict(event.counts), event.total
                row.opened_at, row.opened_position = event.occurred_at, recorded.position
            case ReviewClosed():
                row.closed_at, row.closed_by = event.occurred_at, event.by
            case _:
                pass


PROJECTION = Projection("reviews", 1, EVENTS, (REVIEWS,), masked(fold))
