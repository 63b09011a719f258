"""What the write side needs from the world. The adapters implement these."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from aggregates.event import Event, Meta


class Unavailable(Exception):  # noqa: N818 - a condition, not a defect
    """The service cannot answer now; the same request may succeed later."""


class Outcome(StrEnum):
    """What the log did with an append."""

    APPENDED = "appended"
    CONFLICT = "conflict"
    REPEATED = "repeated"
    REUSED = "reused"


@dataclass(frozen=True, slots=True)
class Appended:
    """The log's answer. `position` is that of the command's last event; None after a conflict."""

    outcome: Outcome
    position: int | None = None
    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewEvents:
    """Events to append to one stream behind `after` (the stream's version as decided upon)."""

    stream: UUID
    after: int
    events: Sequence[Event]
    meta: Meta
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Noted:
    """What the ledger knows of a command id: the last event it caused."""

    fingerprint: bytes
    position: int
    stream: UUID
    version: int
    recorded_at: datetime


class EventLog(Protocol):
    """The event log as the write side sees it."""

    async def load(self, stream: UUID) -> Sequence[Event]:
        """All events of a stream, in order; empty if there are none."""
        ...

    async def append(self, new: NewEvents) -> Appended:
        """Append all or nothing, durably. Never raises on a conflict or a repeated command id."""
        ...

    async def find(self, command_id: UUID) -> Noted | None:
        """What the ledger knows of a command id."""
        ...


class Codes(Protocol):
    """Numbers for lead and follow-up codes, unique per prefix and day, from 1."""

    async def take(self, prefix: str, day: date) -> int:
        """The next number. Gaps are possible, doubles are not."""
        ...


class Clock(Protocol):
    """Where `now` comes from: the machine, or a simulation."""

    def now(self) -> datetime:
        """The current instant, UTC."""
        ...
