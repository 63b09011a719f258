"""The `Reviewing` port on the read model of that name: each answer is one statement, one snapshot.

Findings are grouped and cut in the database: a review is as large as its answer, however many leads
there are.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from adapters.postgres.live_build import LiveBuild
from adapters.postgres.log_reader import HEAD
from aggregates.policy.work import CleanUp
from aggregates.review.review import MOST_ITEMS
from commands.reviewing import Found, Quiet

BEGAN = "SELECT recorded_at FROM log.leadlog_events WHERE notification_id = 1"
KNOWN_AT = (
    "SELECT notification_id FROM log.leadlog_events WHERE recorded_at < %b"
    " ORDER BY notification_id DESC LIMIT 1"
)
POSITION = "SELECT 1"

OPEN = "s.captured AND NOT (s.merged OR s.converted OR s.invalidated OR s.erased)"
_INSTANT = """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
_KNOWN = "f.known_from < a.until AND (f.known_until IS NULL OR f.known_until >= a.until)"
# A period has the first follow-ups that were late in it, and whatever else stood so at its end. For
# a lead without owner whoever holds the review is responsible.
LAPSES = f"""
WITH asked (since, until, teams) AS (VALUES (%b::timestamptz, %b::timestamptz, %b::text[])),
stretches AS (
 SELECT f.* FROM asked a JOIN {{schema}}.findings f ON {_KNOWN}
 WHERE f.finding IN ('late', 'escalated') AND f.since >= a.since AND f.since < a.until
 UNION ALL
 SELECT f.* FROM asked a JOIN {{schema}}.findings f ON {_KNOWN}
 WHERE f.finding NOT IN ('late', 'escalated') AND f.since < a.until),
found AS (
 SELECT f.finding, f.team, f.lead, s.code, f.owner AS responsible, f.since,
   jsonb_build_object('task', f.task, 'late_reason', f.late_reason,
     'resume_at', {_INSTANT.format("f.resume_at")},
     'unassignable_since', {_INSTANT.format("f.unassignable_since")},
     'paused_seconds', f.paused_seconds + extract(epoch FROM a.until - f.since)::float8) AS more
 FROM asked a CROSS JOIN stretches f JOIN {{schema}}.standings s USING (lead))"""
PROPOSED = """
WITH asked (month, teams) AS (VALUES (%b::text, %b::text[])),
found AS (
 SELECT 'proposed' AS finding, s.team, s.lead, s.code, s.owner AS responsible,
   s.quiet_since AS since,
   jsonb_build_object('reason', s.proposed_reason, 'evidence', s.evidence) AS more
 FROM asked a JOIN {schema}.standings s ON s.proposed_month = a.month)"""
GROUPED = f"""
SELECT finding, team, count(*), jsonb_agg(item ORDER BY nr) FILTER (WHERE nr <= {MOST_ITEMS})
FROM (
 SELECT f.finding, t.team,
  row_number() OVER (PARTITION BY t.team, f.finding ORDER BY f.since, f.lead) AS nr,
  jsonb_strip_nulls(jsonb_build_object('finding', f.finding, 'lead', f.lead, 'code', f.code,
   'responsible', f.responsible, 'since', {_INSTANT.format("f.since")}) || f.more) AS item
 FROM found f CROSS JOIN asked a
 CROSS JOIN LATERAL (SELECT CASE WHEN f.team = ANY (a.teams) THEN f.team END) AS t (team)) numbered
GROUP BY finding, team ORDER BY finding, team"""
TO_GIVE_UP = (
    f"SELECT s.lead FROM {{schema}}.standings s WHERE {OPEN} AND NOT (s.paused OR s.stands)"
    " AND s.quiet_since < %b AND s.proposed_month IS DISTINCT FROM %b AND s.lead > %b"
    " AND (s.quiet_since <= %b OR s.refused OR s.connected = 0 AND s.wrong_numbers >= %b)"
    " ORDER BY s.lead LIMIT %b"
)
# Served by the index on quiet_since.
IDLE = (
    f"SELECT s.quiet_since, s.lead FROM {{schema}}.standings s WHERE {OPEN}"
    " AND s.quiet_since <= %b AND (s.quiet_since, s.lead) > (%b, %b)"
    " AND s.owner IS NOT NULL AND NOT s.paused ORDER BY s.quiet_since, s.lead LIMIT %b"
)
BEFORE_ALL = Quiet(datetime.fromisoformat("0002-01-01T00:00:00+00:00"), UUID(int=0))


class PostgresReviewing:
    """Reads as `leadlog_projector`; every method raises Unavailable without a database."""

    def __init__(self, dsn: str) -> None:
        self._build = LiveBuild(dsn, "reviewing")

    async def began_at(self) -> datetime | None:
        """When the first event of the log was recorded."""
        rows = await self._build.rows(BEGAN)
        return rows[0][0] if rows else None

    async def head(self) -> int:
        """The last position of the log."""
        rows = await self._build.rows(HEAD)
        return int(rows[0][0])

    async def known_at(self, instant: datetime) -> int:
        """The last position that was recorded before an instant."""
        rows = await self._build.rows(KNOWN_AT, instant)
        return rows[0][0] if rows else 0

    async def position(self) -> int:
        """The position that is reflected."""
        position, _ = await self._build.ask(POSITION)
        return position

    async def lapses(
        self, since: datetime, until: datetime, teams: Sequence[str]
    ) -> Sequence[Found]:
        """What a review of a period finds."""
        _, rows = await self._build.ask(LAPSES + GROUPED, since, until, list(teams))
        return [Found(team, finding, number, items) for finding, team, number, items in rows]

    async def proposed(self, month: str, teams: Sequence[str]) -> Sequence[Found]:
        """What the clean-up of a month proposes."""
        _, rows = await self._build.ask(PROPOSED + GROUPED, month, list(teams))
        return [Found(team, finding, number, items) for finding, team, number, items in rows]

    async def to_give_up(
        self, at: datetime, month: str, rules: CleanUp, after: UUID | None, limit: int
    ) -> Sequence[UUID]:
        """Leads that the rules may propose to give up."""
        silent = at - timedelta(days=rules.silent_days)
        attempts, behind = rules.wrong_number_attempts, after or UUID(int=0)
        _, rows = await self._build.ask(TO_GIVE_UP, at, month, behind, silent, attempts, limit)
        return [lead for (lead,) in rows]

    async def idle(self, until: datetime, after: Quiet | None, limit: int) -> Sequence[Quiet]:
        """Leads that are quiet."""
        _, rows = await self._build.ask(IDLE, until, *(after or BEFORE_ALL), limit)
        return [Quiet(*row) for row in rows]

    async def close(self) -> None:
        """Close the connection."""
        await self._build.close()
