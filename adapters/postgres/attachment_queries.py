"""What the API asks about attachments of many leads."""

from typing import Any, TypeAlias

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.builds import live_builds
from adapters.postgres.row_scope import arguments, within
from adapters.postgres.tables import Connection
from aggregates.directory.scope import Scope

Row: TypeAlias = dict[str, Any]

SEARCH = (
    "SELECT a.position, a.attachment AS id, a.lead, l.code, a.name, a.content_type, a.size,"
    " a.sha256, a.follow_up, a.warning, a.added_at"
    " FROM {attachments} a JOIN {leads} l USING (lead)"
    " WHERE strpos(lower(a.name), lower(%(part)s)) > 0"
    " AND (%(before)s::bigint IS NULL OR a.position < %(before)s)"
    f" AND {within('l')} ORDER BY a.position DESC LIMIT %(limit)s"
)


def search(
    conn: Connection, part: str, scope: Scope, before: int | None, limit: int
) -> tuple[int, list[Row]]:
    """Attachments with this part in their name, newest first, of the leads within a scope."""
    builds = live_builds(conn)
    tables = {name: sql.Identifier(builds[name].schema, name) for name in ("attachments", "leads")}
    given = arguments(scope) | {"part": part, "before": before, "limit": limit}
    cursor = conn.cursor(row_factory=dict_row)
    rows = cursor.execute(sql.SQL(SEARCH).format(**tables), given).fetchall()
    return min(builds[name].position for name in tables), rows
