"""The `DueLeads` port on the read model `tasks`: each answer is one statement, one snapshot."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.postgres.live_build import LiveBuild
from commands.ports import Waiting

# Served by the index on rings_at.
DUE = "SELECT lead FROM {schema}.tasks WHERE rings_at <= %b ORDER BY rings_at LIMIT %b"
NEXT = "SELECT min(rings_at) FROM {schema}.tasks WHERE rings_at IS NOT NULL"
# Served by the index on arms_since, from where it was looked at last.
UNARMED = (
    "SELECT lead, arms_since FROM {schema}.timed_leads WHERE arms_from >= %b AND arms_since > %b"
    " AND captured AND NOT (merged OR converted OR invalidated OR erased)"
    " ORDER BY arms_since LIMIT %b"
)


class PostgresDueLeads:
    """Reads as `leadlog_projector`; every method raises Unavailable without a database."""

    def __init__(self, dsn: str) -> None:
        self._build = LiveBuild(dsn, "tasks")

    async def due(self, now: datetime, limit: int) -> tuple[int, Sequence[UUID]]:
        """The position reflected, and leads of which something has rung."""
        position, rows = await self._ask(DUE, now, limit)
        return position, list(dict.fromkeys(lead for (lead,) in rows))

    async def next_at(self) -> datetime | None:
        """When the next clock rings, or rang."""
        _, rows = await self._ask(NEXT)
        return rows[0][0] if rows else None

    async def unarmed(
        self, since: datetime, after: int, limit: int
    ) -> tuple[int, Sequence[Waiting]]:
        """The position reflected, and imported leads whose clocks were not started."""
        position, rows = await self._ask(UNARMED, since, after, limit)
        return position, [Waiting(*row) for row in rows]

    async def close(self) -> None:
        """Close the connection."""
        await self._build.close()

    async def _ask(self, asked: str, *params: Any) -> tuple[int, list[tuple[Any, ...]]]:
        return await self._build.ask(asked, *params)
