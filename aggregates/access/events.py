"""What can happen to the record of a reader's day."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from aggregates.event import Event


@dataclass(frozen=True, kw_only=True)
class HistoryRead(Event):
    """Somebody who sees every lead by their role read the history of one: `what` of it (R117)."""

    topic: ClassVar[str] = "access.history-read"

    lead: UUID
    what: str
    by: str


EVENTS: tuple[type[Event], ...] = (HistoryRead,)
"""Each is in the stream of its reader's day, and not in the lead's: reading changes no lead."""
