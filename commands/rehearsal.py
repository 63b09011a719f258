"""Commands carried out for show: judged as by the log, and nothing is kept but what they claim."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from aggregates.event import Event
from commands.ports import Appended, EventLog, Holders, NewEvents, Noted, Outcome


class Rehearsal:
    """The `EventLog` and `Codes` ports: answers as the log does, appends nothing, takes no code.

    What a command would have claimed is remembered, so that the next one knows of it.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._claimed: dict[bytes, UUID] = {}

    async def load(self, stream: UUID) -> Sequence[Event]:
        """All events of a stream, in order."""
        return await self._log.load(stream)

    async def find(self, command_id: UUID) -> Noted | None:
        """What the ledger knows of a command id."""
        return await self._log.find(command_id)

    async def holders(self, marks: Sequence[bytes]) -> Mapping[bytes, Holders]:
        """Who has claimed each of the marks; of those who would have, the first."""
        found = await self._log.holders(marks)
        return {mark: self._with_claim(mark, held) for mark, held in found.items()}

    async def append(self, new: NewEvents) -> Appended:
        """Forget the events, remember the claims."""
        for mark in new.marks:
            self._claimed.setdefault(mark, new.stream)
        return Appended(Outcome.APPENDED)

    async def take(self, prefix: str, day: date) -> int:  # noqa: ARG002 - the port's
        """A number that nobody sees."""
        return 0

    def _with_claim(self, mark: bytes, held: Holders) -> Holders:
        claimant = self._claimed.get(mark)
        return replace(held, streams=(*held.streams, claimant)) if claimant else held
