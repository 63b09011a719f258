"""What the write side needs from the world. The adapters implement these.

What every command makes anew is a named tuple, which takes a third of the time of a frozen class.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol
from uuid import UUID

from aggregates.event import Event, Meta
from aggregates.lead.choice import Loads


class Unavailable(Exception):  # noqa: N818 - a condition, not a defect
    """The service cannot answer now; the same request may succeed later."""


class Outcome(StrEnum):
    """What the log did with an append."""

    APPENDED = "appended"
    CONFLICT = "conflict"
    REPEATED = "repeated"
    REUSED = "reused"


class Appended(NamedTuple):
    """The log's answer. `position` is that of the command's last event.

    None after a conflict, and where there was no event to append.
    """

    outcome: Outcome
    position: int | None = None
    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Holders:
    """Who has claimed a mark: the first streams, the number of claims, the last one's position.

    At most MOST_STREAMS `streams`, each once, in log order; a `count` of at most 1,000; nobody = 0.
    """

    streams: tuple[UUID, ...] = ()
    count: int = 0
    position: int = 0


NOBODY = Holders()
MOST_STREAMS = 20
NO_MARKS: Mapping[bytes, int] = {}
UNCONTESTED = 2**63 - 1
"""Behind every position: whoever claims the mark meanwhile, it makes no difference."""


class NewEvents(NamedTuple):
    """Events to append to one stream behind `after` (the stream's version as decided upon).

    Without events it is noted that the command changed nothing; the stream must have some.
    `marks`: what the command claims, 16 bytes each, and the position of the last claim known to
    the decider; whoever claims it meanwhile, in any stream, makes this a conflict.
    """

    stream: UUID
    after: int
    events: Sequence[Event]
    meta: Meta
    fingerprint: bytes
    marks: Mapping[bytes, int] = NO_MARKS


@dataclass(frozen=True, slots=True)
class Noted:
    """What the ledger knows of a command id: the stream's version after it, its last event.

    `position` and `recorded_at` are None when it changed nothing.
    """

    fingerprint: bytes
    stream: UUID
    version: int
    position: int | None
    recorded_at: datetime | None


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

    async def holders(self, marks: Sequence[bytes]) -> Mapping[bytes, Holders]:
        """Who has claimed each of the marks, as the log has it now."""
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


@dataclass(frozen=True, slots=True)
class Workload:
    """What everybody carries, by name, as of a position of the log (A13).

    `owned`: their open leads; those that are paused count here, and in no load.
    """

    position: int = 0
    loads: Loads = field(default_factory=dict)
    owned: Mapping[str, int] = field(default_factory=dict)


NO_WORKLOAD = Workload()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A lead that needs an owner, and the position of the log since which it does."""

    lead: UUID
    since: int


class Workloads(Protocol):
    """The read model of who carries what; milliseconds behind the log."""

    async def current(self) -> Workload:
        """Everybody's load."""
        ...

    async def up_to_now(self) -> Workload:
        """The same with all that the log holds by now; Unavailable if that takes long."""
        ...

    async def waiting(self, after: int, limit: int) -> Sequence[Waiting]:
        """Leads that need an owner since a position behind `after`, the longest waiting first."""
        ...

    async def owned_by(
        self, people: Collection[str], after: UUID | None, limit: int
    ) -> Sequence[UUID]:
        """Open leads of these people, paused ones included, in order of id, behind `after`."""
        ...


class DueLeads(Protocol):
    """The read model of clocks; milliseconds behind the log."""

    async def due(self, now: datetime, limit: int) -> tuple[int, Sequence[UUID]]:
        """The position of the log that is reflected, and leads of which something has rung by
        `now`, the longest ago first.
        """
        ...

    async def next_at(self) -> datetime | None:
        """When the next clock rings, or rang: UTC."""
        ...

    async def unarmed(
        self, since: datetime, after: int, limit: int
    ) -> tuple[int, Sequence[Waiting]]:
        """The position of the log that is reflected, and imported leads to which something
        happened at or after `since` that starts clocks, and was recorded behind `after`, in the
        order of the log; none of which a clock was started since.
        """
        ...


class Idle:
    """The workloads of a company in which nobody has anything to do."""

    async def current(self) -> Workload:
        """Nobody carries anything."""
        return NO_WORKLOAD

    up_to_now = current

    async def waiting(self, after: int, limit: int) -> Sequence[Waiting]:  # noqa: ARG002 - the port
        """No lead waits."""
        return ()

    async def owned_by(
        self,
        people: Collection[str],  # noqa: ARG002
        after: UUID | None,  # noqa: ARG002
        limit: int,  # noqa: ARG002
    ) -> Sequence[UUID]:
        """Nobody owns a lead."""
        return ()
