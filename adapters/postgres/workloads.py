"""The `Workloads` port on the read model `workload`: each answer is one statement, one snapshot."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from adapters.postgres.live_build import LiveBuild
from adapters.postgres.log_reader import HEAD
from aggregates.lead.choice import Load
from commands.ports import Unavailable, Waiting, Workload

PATIENCE_SECONDS, POLL_SECONDS = 5.0, 0.01

LOADS = "SELECT person, load, last_given, owned FROM {schema}.people"
WAITING = (
    "SELECT lead, waits_since FROM {schema}.carried WHERE waits_since > %b"
    " ORDER BY waits_since LIMIT %b"
)
# Served by the index on owner.
OWNED = (
    "SELECT lead FROM {schema}.carried WHERE owner = ANY(%b) AND lead > %b"
    " AND captured AND NOT (merged OR converted OR invalidated OR erased) ORDER BY lead LIMIT %b"
)
NUMBER_OWNED = (
    "SELECT count(*) FROM {schema}.carried WHERE owner = %b"
    " AND captured AND NOT (merged OR converted OR invalidated OR erased)"
)

IN_POOLS = (
    "SELECT pool, count(*) FROM {schema}.carried WHERE pool IS NOT NULL"
    " AND captured AND NOT (merged OR converted OR invalidated OR erased) GROUP BY pool"
)


class PostgresWorkloads:
    """Reads as `leadlog_projector`; every method raises Unavailable without a database."""

    def __init__(self, dsn: str) -> None:
        self._build = LiveBuild(dsn, "workload")

    async def current(self) -> Workload:
        """Everybody's load."""
        position, rows = await self._build.ask(LOADS)
        loads = {person: Load(load, given) for person, load, given, _ in rows}
        return Workload(position, loads, {person: owned for person, *_, owned in rows})

    async def up_to_now(self) -> Workload:
        """Everybody's load with all that the log holds by now."""
        rows = await self._build.rows(HEAD)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (workload := await self.current()).position < rows[0][0]:
            if time.monotonic() > deadline:
                raise Unavailable("the read model of workloads is behind: does a worker run?")
            await asyncio.sleep(POLL_SECONDS)
        return workload

    async def waiting(self, after: int, limit: int) -> Sequence[Waiting]:
        """Leads that need an owner, the longest waiting first."""
        _, rows = await self._build.ask(WAITING, after, limit)
        return [Waiting(*row) for row in rows]

    async def owned_by(
        self, people: Collection[str], after: UUID | None, limit: int
    ) -> Sequence[UUID]:
        """Open leads of these people, in order of id."""
        _, rows = await self._build.ask(OWNED, list(people), after or UUID(int=0), limit)
        return [lead for (lead,) in rows]

    async def open_leads(self, person: str) -> int:
        """How many open leads a person owns, with all that the log holds by now."""
        await self.up_to_now()
        _, rows = await self._build.ask(NUMBER_OWNED, person)
        return int(rows[0][0])

    async def in_pools(self) -> Mapping[str, int]:
        """How many open leads lie in each pool, with all that the log holds by now."""
        await self.up_to_now()
        _, rows = await self._build.ask(IN_POOLS)
        return dict(rows)

    async def close(self) -> None:
        """Close the connection."""
        await self._build.close()
