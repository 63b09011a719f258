"""What lies in the pools: leads without owner, as those see them who may claim them (A32)."""

from collections.abc import Sequence

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.builds import live_builds
from adapters.postgres.lead_queries import Row
from adapters.postgres.tables import Connection

# No contact: that is shown to whoever has claimed the lead. Served by the index on pooled_since.
POOLED = (
    "SELECT c.pooled_since AS position, c.lead AS id, l.code, c.pool, l.captured_at, l.customer,"
    " l.source, l.industry, l.region, l.customer_type, l.campaign, l.need, l.level, l.segment,"
    " l.stage, l.follow_ups FROM {carried} c JOIN {leads} l USING (lead)"
    " WHERE c.pool = ANY (%s) AND c.pooled_since > %s"
    " AND NOT (c.merged OR c.converted OR c.invalidated OR c.erased)"
    " ORDER BY c.pooled_since LIMIT %s"
)


def pooled(conn: Connection, pools: Sequence[str], after: int, limit: int) -> tuple[int, list[Row]]:
    """A position that is reflected, and leads in these pools, the longest there first."""
    builds = live_builds(conn)
    workload, leads = builds["workload"], builds["leads"]
    statement = sql.SQL(POOLED).format(
        carried=sql.Identifier(workload.schema, "carried"),
        leads=sql.Identifier(leads.schema, "leads"),
    )
    cursor = conn.cursor(row_factory=dict_row)
    rows = cursor.execute(statement, (list(pools), after, limit)).fetchall()
    return min(workload.position, leads.position), rows
