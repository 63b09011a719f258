"""Puts on record who reads the history of a lead, or of all, ahead of the answer (R117)."""

from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from aggregates.access.readings import Readings, evolve, follow, read, readings_id
from aggregates.event import Event, Meta
from aggregates.values import local_date
from commands.caller import Principal
from commands.loop import CommandLoop, Intent, by_state
from commands.ports import Clock, EventLog


class ReadingRecords:
    """The records of all readers."""

    def __init__(self, log: EventLog, clock: Clock, zone: ZoneInfo) -> None:
        self._loop = CommandLoop(log, Readings, evolve)
        self._clock, self._zone = clock, zone

    async def record(self, reader: Principal, lead: UUID, what: str) -> None:
        """Record that a person reads `what` of a lead. Raises Unavailable: then show nothing."""
        await self._note(reader, partial(read, lead=lead, what=what, by=reader.name))

    async def record_feed(self, reader: Principal, after: int) -> None:
        """Record that a person follows the change feed from behind a position. As `record`."""
        await self._note(reader, partial(follow, after=after, by=reader.name))

    async def _note(self, reader: Principal, decide: Callable[..., list[Event]]) -> None:
        now = self._clock.now()
        stream = readings_id(reader.name, local_date(now, self._zone))
        meta = Meta(reader.caller.actor, uuid4())
        await self._loop.run(Intent(stream, by_state(partial(decide, now=now)), meta, b""))
