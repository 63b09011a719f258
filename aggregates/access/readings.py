"""The record of what one person read on one day."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

from aggregates.access.events import FeedOpened, HistoryRead
from aggregates.event import Event

READERS = UUID("9d0b7a52-1c6e-4f0d-8a0a-2f6a7f1f3c58")


@dataclass(frozen=True, slots=True)
class Readings:
    """A reader's day; `version` counts what was read."""

    id: UUID
    version: int = 0


def readings_id(person: str, day: date) -> UUID:
    """The stream of a person's day."""
    return uuid5(READERS, f"{day}\n{person}")


def evolve(readings: Readings, _: Event) -> Readings:
    """One more."""
    return Readings(readings.id, readings.version + 1)


def read(_: Readings, *, now: datetime, lead: UUID, what: str, by: str) -> list[Event]:
    """Note that a lead's history was read; each time counts."""
    return [HistoryRead(occurred_at=now, lead=lead, what=what, by=by)]


def follow(_: Readings, *, now: datetime, after: int, by: str) -> list[Event]:
    """Note that the change feed is followed from behind a position."""
    return [FeedOpened(occurred_at=now, after=after, by=by)]
