"""What will ring, in order: the clocks of the read model `tasks`."""

from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.builds import live_builds
from adapters.postgres.tables import Connection

# Served by the index on rings_at.
RINGING = (
    "SELECT t.rings_at, l.code, t.lead, t.name, t.kind, t.owner, t.team FROM {tasks} t"
    " JOIN {leads} l USING (lead) WHERE t.rings_at IS NOT NULL"
    " AND (%(until)s::timestamptz IS NULL OR t.rings_at <= %(until)s)"
    " ORDER BY t.rings_at, t.lead, t.name LIMIT %(limit)s"
)


def ringing(conn: Connection, until: datetime | None, limit: int) -> list[dict[str, Any]]:
    """Clocks that ring by `until` (None = whenever), at most so many, the first first."""
    schema = live_builds(conn)["tasks"].schema
    statement = sql.SQL(RINGING).format(
        tasks=sql.Identifier(schema, "tasks"), leads=sql.Identifier(schema, "timed_leads")
    )
    cursor = conn.cursor(row_factory=dict_row)
    return cursor.execute(statement, {"until": until, "limit": limit}).fetchall()
