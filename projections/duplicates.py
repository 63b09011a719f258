"""Leads that may be one: every suspicion and every dismissal of one, a row each (R2, A1).

A suspicion is open while nothing later dismisses it and both leads count apart: neither is merged
into the other, or both into a third.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aggregates.event import Recorded
from aggregates.lead.events import DuplicateDismissed, DuplicateSuspected
from projections.base import Projection, Table, WorkingSet


@dataclass(slots=True)
class SuspicionRow:
    """`by`: what is equal. `low` and `high` are the two leads in one order whoever suspects."""

    position: int
    lead: UUID
    other: UUID
    low: UUID
    high: UUID
    certain: bool
    by: list[str]
    at: datetime | None


@dataclass(slots=True)
class DismissalRow:
    """Somebody decided that the two leads are two."""

    position: int
    low: UUID
    high: UUID


SUSPICIONS = Table(
    "suspicions", SuspicionRow, key=("position",), facts=True, indexes=("(low, high)",)
)
DISMISSALS = Table(
    "dismissals", DismissalRow, key=("position",), facts=True, indexes=("(low, high)",)
)


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """Every event is a row of its own."""
    for position, lead, _, _, event in batch:
        assert isinstance(event, DuplicateSuspected | DuplicateDismissed)
        low, high = sorted((lead, event.other))
        if isinstance(event, DuplicateDismissed):
            working.append(DISMISSALS, DismissalRow(position, low, high))
        else:
            row = SuspicionRow(
                position=position,
                lead=lead,
                other=event.other,
                low=low,
                high=high,
                certain=event.certain,
                by=list(event.by),
                at=event.occurred_at,
            )
            working.append(SUSPICIONS, row)


PROJECTION = Projection(
    "duplicates", 1, (DuplicateSuspected, DuplicateDismissed), (SUSPICIONS, DISMISSALS), fold
)
