"""What the routes work with. The composition root fills it; the routes know only these shapes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from aggregates.event import Recorded
from api.auth import Doorkeeper
from commands.leads import LeadCommands


class Reads(Protocol):
    """The read side. Every method raises Unavailable when the database does not answer."""

    async def find_lead(self, reference: str) -> UUID | None:
        """The lead with this UUID or code; a code is looked for up to the log's present end."""
        ...

    async def head(self) -> int:
        """The last position of the log."""
        ...

    async def await_position(self, position: int) -> None:
        """Return once every read model reflects the position; Unavailable if that takes long."""
        ...

    async def history(self, lead: UUID) -> tuple[int, Sequence[Recorded]]:
        """A position of the log and the lead's events up to at least there, in order."""
        ...

    async def follow_ups(
        self, lead: UUID, after: int, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A position and the lead's follow-ups at that position, recorded behind `after`."""
        ...

    async def leads(
        self, filters: Mapping[str, str], after: tuple[datetime | None, UUID] | None, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A position and captured leads, newest first, times unknown last, behind `after`."""
        ...

    async def report(self, name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """A report's body; Refusal for parameters that it does not take."""
        ...

    async def evidence(
        self, name: str, bucket: str, given: Mapping[str, Any], after: int, limit: int
    ) -> tuple[int, list[Mapping[str, Any]], int | None]:
        """A position, what stands behind a row of a report, and `after` of the next page."""
        ...

    async def condition(self) -> Mapping[str, Any]:
        """How the database and the read models are."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that a route needs."""

    zone: ZoneInfo
    doorkeeper: Doorkeeper
    commands: LeadCommands
    reads: Reads
    page_limit: int
