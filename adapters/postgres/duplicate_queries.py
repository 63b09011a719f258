"""What the API asks about leads that are one, or may be: queue, groups, survivors."""

from typing import Any, TypeAlias
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.builds import live_builds
from adapters.postgres.row_scope import arguments, within
from adapters.postgres.tables import Connection
from aggregates.directory.scope import Scope
from projections.survivors import survivor

Row: TypeAlias = dict[str, Any]

# Inside JSON the database writes times down itself.
USE = "SELECT set_config('search_path', %s, true), set_config('TimeZone', %s, true)"
LEAD = (
    "json_build_object('id', {0}.lead, 'code', {0}.code, 'customer', {0}.customer,"
    " 'contact', {0}.contact, 'phone', {0}.phone, 'email', {0}.email, 'source', {0}.source,"
    " 'owner', {0}.owner, 'team', {0}.team, 'stage', {0}.stage, 'follow_ups', {0}.follow_ups,"
    " 'captured_at', {0}.captured_at)"
)
# Open suspicions in the order in which they arose, each pair once, with what they are now.
QUEUE = (
    f"SELECT s.position, s.at AS suspected_at, s.certain, s.by, {LEAD.format('a')} AS lead,"
    f" {LEAD.format('b')} AS other FROM suspicions s JOIN leads a ON a.lead = s.lead"
    f" JOIN leads named ON named.lead = s.other JOIN leads b ON b.lead = {survivor('named')}"
    f" WHERE {within('a')} AND {within('b')}"
    " AND s.position > %(after)s AND NOT a.merged AND a.lead <> b.lead"
    " AND a.erased_at IS NULL AND b.erased_at IS NULL"
    " AND s.certain = coalesce(%(certain)s, s.certain)"
    " AND NOT EXISTS (SELECT FROM dismissals d"
    "  WHERE d.low = s.low AND d.high = s.high AND d.position > s.position)"
    " AND NOT EXISTS (SELECT FROM suspicions n"
    "  WHERE n.low = s.low AND n.high = s.high AND n.position > s.position)"
    " ORDER BY s.position LIMIT %(limit)s"
)
# The lead and everything merged into it, over several steps.
GROUP = sql.SQL(
    "WITH RECURSIVE merged (lead, code) AS ("
    " SELECT lead, code FROM {leads} WHERE merged AND merged_into = %s"
    " UNION SELECT l.lead, l.code FROM merged m"
    " JOIN {leads} l ON l.merged AND l.merged_into = m.lead"
    ") SELECT lead, code FROM merged ORDER BY code"
)


def queue(
    conn: Connection, scope: Scope, after: int, limit: int, *, certain: bool | None, zone: str
) -> tuple[int, list[Row]]:
    """Open suspicions behind a position of the log, both leads in scope; times in the zone."""
    with conn.transaction():
        builds = [live_builds(conn)[name] for name in ("leads", "duplicates")]
        conn.execute(USE, (", ".join(build.schema for build in builds), zone))
        wanted = arguments(scope) | {"after": after, "limit": limit, "certain": certain}
        rows = conn.cursor(row_factory=dict_row).execute(QUEUE, wanted).fetchall()
    return min(build.position for build in builds), rows


def merged_into(conn: Connection, lead: UUID) -> dict[UUID, str]:
    """The leads merged into one, with their codes."""
    table = sql.Identifier(live_builds(conn)["leads"].schema, "leads")
    return dict(conn.execute(GROUP.format(leads=table), (lead,)).fetchall())
