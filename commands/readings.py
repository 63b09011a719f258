"""Puts on record who reads the history of a lead, ahead of the answer (R117)."""

from functools import partial
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from aggregates.access.readings import Readings, evolve, read, readings_id
from aggregates.event import Meta
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
        now = self._clock.now()
        decide = partial(read, now=now, lead=lead, what=what, by=reader.name)
        stream = readings_id(reader.name, local_date(now, self._zone))
        await self._loop.run(
            Intent(stream, by_state(decide), Meta(reader.caller.actor, uuid4()), b"")
        )
