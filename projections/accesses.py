"""Accesses: who has seen a personal value in clear, and who has read a lead's history (R117)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aggregates.access.events import HistoryRead
from aggregates.event import Event, Recorded
from aggregates.lead.privacy_events import ContactRevealed
from projections.base import Projection, Table, WorkingSet
from projections.masking import masked

REVEAL, HISTORY = "reveal", "history"


@dataclass(slots=True)
class AccessRow:
    """An access at `at` (UTC). `what`: the field that was revealed, or what was read."""

    position: int
    lead: UUID
    person: str | None
    kind: str
    what: str
    purpose: str | None
    at: datetime | None


ACCESSES = Table(
    "accesses",
    AccessRow,
    key=("position",),
    facts=True,
    indexes=("(lead, position)", "(person, position)"),
)


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """Every access is a row of its own."""
    for position, stream, _, _, event in batch:
        working.append(ACCESSES, _access(position, stream, event))


def _access(position: int, stream: UUID, event: Event) -> AccessRow:
    at = event.occurred_at
    if isinstance(event, ContactRevealed):
        return AccessRow(position, stream, event.by, REVEAL, event.field, event.purpose, at)
    assert isinstance(event, HistoryRead)
    return AccessRow(position, event.lead, event.by, HISTORY, event.what, None, at)


PROJECTION = Projection("accesses", 1, (ContactRevealed, HistoryRead), (ACCESSES,), masked(fold))
