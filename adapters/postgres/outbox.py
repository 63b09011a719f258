"""The `Outbox` port on the read model `notifications` and the table of attempts in vain."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from adapters.postgres.live_build import LiveBuild
from commands.notifications import Attempted, Message, Standing

MESSAGE = (
    "m.id, m.kind, m.recipient, m.position, m.recorded_at, m.created_at, m.code, m.customer,"
    " m.about, m.due_at, m.subject"
)
# Served by the index on recorded_at, which never decreases along positions.
BEGIN = (
    "SELECT m.position FROM {schema}.notifications m WHERE m.recorded_at >= %b"
    " ORDER BY m.recorded_at, m.position LIMIT 1"
)
NEW = (
    f"SELECT {MESSAGE}, ARRAY(SELECT d.channel FROM {{schema}}.deliveries d WHERE d.id = m.id)"
    " FROM {schema}.notifications m WHERE (m.position, m.id) > (%b, %b)"
    " ORDER BY m.position, m.id LIMIT %b"
)
# Served by the partial index on them.
AGAIN = (
    f"SELECT d.position, {MESSAGE}, ARRAY[]::text[], d.channel, d.at FROM {{schema}}.deliveries d"
    " JOIN {schema}.notifications m ON m.id = d.id WHERE d.state = 'retried' AND d.position > %b"
    " ORDER BY d.position LIMIT %b"
)
STANDINGS = (
    "SELECT l.lead, l.owner, l.team, l.entered_by, l.paused, l.merged OR l.invalidated OR l.erased,"
    " (SELECT coalesce(json_object_agg(t.name, t.owner), '{{}}') FROM {schema}.tasks t"
    " WHERE t.lead = l.lead AND t.state = 'open')"
    " FROM {schema}.timed_leads l WHERE l.lead = ANY (%b)"
)
ATTEMPTED = (
    "SELECT notification, channel, attempts,"
    " greatest(extract(epoch FROM next_try - clock_timestamp()), 0)::float8"
    " FROM outbox.attempts WHERE notification = ANY (%b)"
)
# What was given up long ago, or lost with a message that nobody wants any more, is forgotten here.
NOTE = (
    "WITH forgotten AS (DELETE FROM outbox.attempts"
    " WHERE next_try < clock_timestamp() - interval '7 days' AND notification <> %b)"
    " INSERT INTO outbox.attempts AS a (notification, channel, attempts, next_try)"
    " VALUES (%b, %b, %b, clock_timestamp() + %b::float8 * interval '1 second')"
    " ON CONFLICT (notification, channel) DO UPDATE"
    " SET attempts = excluded.attempts, next_try = excluded.next_try RETURNING attempts"
)
FORGET = "DELETE FROM outbox.attempts WHERE notification = %b AND channel = %b RETURNING attempts"


class PostgresOutbox:
    """Acts as `leadlog_projector`; every method raises Unavailable without a database."""

    def __init__(self, dsn: str) -> None:
        self._build = LiveBuild(dsn, "notifications")
        self._leads = LiveBuild(dsn, "tasks")

    async def begin(self, since: datetime) -> int:
        """A position behind which everything is that was recorded since an instant."""
        reflected, rows = await self._build.ask(BEGIN, since)
        return rows[0][0] - 1 if rows else reflected

    async def new(self, after: tuple[int, UUID], limit: int) -> tuple[int, Sequence[Message]]:
        """The position reflected and the next messages in the order of the log."""
        reflected, rows = await self._build.ask(NEW, *after, limit)
        return reflected, [Message(*row) for row in rows]

    async def retried(self, after: int, limit: int) -> tuple[int, Sequence[tuple[int, Message]]]:
        """The position reflected and messages that somebody wants tried again, since when."""
        reflected, rows = await self._build.ask(AGAIN, after, limit)
        return reflected, [(position, Message(*row)) for position, *row in rows]

    async def standings(self, leads: Sequence[UUID]) -> tuple[int, Mapping[UUID, Standing]]:
        """The position reflected and these leads as they were by then."""
        reflected, rows = await self._leads.ask(STANDINGS, list(leads))
        return reflected, {lead: Standing(*own) for lead, *own in rows}

    async def attempted(self, messages: Sequence[UUID]) -> Mapping[tuple[UUID, str], Attempted]:
        """What is known of earlier attempts."""
        rows = await self._build.rows(ATTEMPTED, list(set(messages)))
        return {(message, channel): Attempted(*tried) for message, channel, *tried in rows}

    async def note(self, message: UUID, channel: str, tried: Attempted) -> None:
        """Remember an attempt in vain."""
        await self._build.rows(NOTE, message, message, channel, *tried)

    async def forget(self, message: UUID, channel: str) -> None:
        """There is nothing more to try."""
        await self._build.rows(FORGET, message, channel)

    async def close(self) -> None:
        """Close the connection."""
        await self._build.close()
        await self._leads.close()
