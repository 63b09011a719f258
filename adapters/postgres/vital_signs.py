"""How the database and the work on it are: for `/health/ready` and `/metrics`.

Two short statements at most every `FRESH_SECONDS`, on a connection of its own, so that slow reports
are not waited for. What could be many is counted up to `MOST`, all else is found by an index.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from adapters.postgres import leases
from adapters.postgres.session import Session
from commands.ports import Unavailable
from commands.webhooks import BY_HAND

FRESH_SECONDS = 1.0
LONGEST_SECONDS = 2.0
"""Less than whoever looks after a container or a target has patience."""
MOST = 10_000
SILENT = "the database does not answer"

BUILDS = (
    "SELECT json_object_agg(name, 'p_' || name || '_' || generation)"
    " FROM projection.builds WHERE state = 'live'"
)
# In simulated time the clock of events is not the wall's.
NOW = (
    "SELECT CASE WHEN EXISTS (SELECT FROM log.company WHERE name = 'clock' AND value = 'simulated')"
    " THEN last.at ELSE clock_timestamp() END AS at, coalesce(last.position, 0) AS position"
    " FROM (SELECT max(notification_id) AS position, (array_agg(recorded_at))[1] AS at FROM"
    " (SELECT notification_id, recorded_at FROM log.leadlog_events"
    "  ORDER BY notification_id DESC LIMIT 1) e) last"
)
AGE = (
    "coalesce((SELECT greatest(extract(epoch FROM now.at - e.recorded_at), 0)"
    " FROM log.leadlog_events e WHERE e.notification_id > {position}"
    " ORDER BY e.notification_id LIMIT 1), 0)::float8"
)
COUNT = f"(SELECT count(*) FROM (SELECT FROM {{rows}} LIMIT {MOST}) counted)"
PROJECTIONS = (
    "(SELECT json_object_agg(b.name, json_build_object('events', now.position - b.position,"
    f" 'seconds', {AGE.format(position='b.position')},"
    " 'parked', (SELECT count(*) FROM (SELECT FROM projection.parked p WHERE p.name = b.name"
    f" AND p.generation = b.generation LIMIT {MOST}) counted)))"
    " FROM projection.builds b WHERE b.state = 'live')"
)
# A lease is a session's lock: two numbers, granted to one alone.
LEASES = (
    "(SELECT json_object_agg(d.name, (d.kind::oid, (hashtext(d.name)::bigint & 4294967295)::oid) IN"
    " (SELECT classid, objid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted"
    "  AND mode = 'ExclusiveLock'"
    "  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())))"
    " FROM unnest(%b::int[], %b::text[]) d (kind, name))"
)
# Who lost interest in a message leaves its attempts behind: they are no longer tried.
TRIED = "outbox.attempts a WHERE a.next_try > clock_timestamp() - interval '1 hour'"
SEALED = "coalesce((SELECT size FROM audit.checkpoints ORDER BY number DESC LIMIT 1), 0)"
SIGNS = (
    f"WITH now AS ({NOW}), sealed AS (SELECT {SEALED} AS size)"
    " SELECT json_build_object('position', now.position,"
    " 'bytes', pg_total_relation_size('log.leadlog_events'),"
    f" 'projections', {PROJECTIONS}, 'leases', {LEASES},"
    " 'timer_overdue', coalesce((SELECT greatest(extract(epoch FROM now.at - min(t.rings_at)), 0)"
    "  FROM {tasks}.tasks t WHERE t.rings_at IS NOT NULL), 0)::float8,"
    f" 'outbox_waiting', {COUNT.format(rows=TRIED)},"
    " 'outbox_oldest', coalesce((SELECT extract(epoch FROM now.at - min(m.recorded_at)) FROM"
    f"  (SELECT notification FROM {TRIED} LIMIT {MOST}) a"
    "  JOIN {notifications}.notifications m ON m.id = a.notification), 0)::float8,"
    " 'dead', (SELECT count(*) FROM (SELECT FROM {notifications}.deliveries d"
    f"  WHERE d.state = 'dead' AND d.error <> 'moot' LIMIT {MOST}) counted),"
    " 'webhooks_failing', coalesce((SELECT extract(epoch FROM clock_timestamp()"
    "  - min(failing_since)) FROM outbox.webhooks WHERE disabled IS NULL), 0)::float8,"
    " 'webhooks_disabled', (SELECT count(*) FROM outbox.webhooks"
    f"  WHERE disabled <> '{BY_HAND}'),"
    " 'unsealed', now.position - sealed.size,"
    f" 'unsealed_seconds', {AGE.format(position='sealed.size')},"
    " 'connections', (SELECT sum(numbackends) FROM pg_stat_database),"
    " 'connections_limit', current_setting('max_connections')::int,"
    " 'migration', (SELECT max(name) FROM leadlog_meta.migrations),"
    " 'relay_lag', CASE WHEN relay.topic IS NOT NULL THEN now.position - relay.position END,"
    " 'relay_seconds', CASE WHEN relay.topic IS NOT NULL THEN"
    f" {AGE.format(position='relay.position')} END) FROM now, sealed, relay.checkpoint relay"
)


class PostgresVitalSigns:
    """Reads as `leadlog_projector`. `duties`: kind and name of each lease that a worker holds."""

    def __init__(self, dsn: str, duties: Sequence[tuple[int, str]], *, patience: float) -> None:
        self._session = Session(dsn, "leadlog_projector", patience=patience)
        self._duties = list(zip(*duties, strict=True))
        self._looking: asyncio.Task[dict[str, Any]] | None = None
        self._taken_at, self._signs = -FRESH_SECONDS, dict[str, Any]()

    async def take(self) -> Mapping[str, Any]:
        """The signs, at most `FRESH_SECONDS` old. Unavailable says what is wrong instead.

        Who asks while a look is under way waits for that one.
        """
        if time.monotonic() - self._taken_at < FRESH_SECONDS:
            return self._signs
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        looking = self._looking
        await asyncio.wait({looking}, timeout=LONGEST_SECONDS + 0.5)
        if not looking.done():  # it may be hard to give up, on a connection that is dead
            raise Unavailable(SILENT)
        self._signs, self._taken_at = looking.result(), time.monotonic()
        return self._signs

    async def close(self) -> None:
        """Close the connection."""
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        await self._session.close()

    async def _look(self) -> dict[str, Any]:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                [(schemas,)] = await self._session.rows(BUILDS, ())
                asked = SIGNS.format(**(schemas or {}))
                [(signs,)] = await self._session.rows(asked, [list(one) for one in self._duties])
        except KeyError as error:
            raise Unavailable(f"the read model {error} is not there yet") from None
        except psycopg.errors.UndefinedTable:
            raise Unavailable("tables are missing: run `leadlog migrate`") from None
        except (Unavailable, TimeoutError):
            raise Unavailable(SILENT) from None
        assert isinstance(signs, dict)
        return signs


def duties(projections: Sequence[str], processes: Sequence[str]) -> list[tuple[int, str]]:
    """The leases of these projections and processes."""
    return [(leases.PROJECTION, name) for name in projections] + [
        (leases.PROCESS, f"process:{name}") for name in processes
    ]
