"""What the API lists of reviews, and of the leads that the clean-up proposes to give up."""

from collections.abc import Collection, Mapping
from typing import Any

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.builds import live_builds
from adapters.postgres.lead_queries import Row
from adapters.postgres.row_scope import arguments, within
from adapters.postgres.tables import Connection
from aggregates.directory.scope import Scope

CONDITIONS: Mapping[str, str] = {
    "kind": "r.kind = %(kind)s",
    "team": "r.team = %(team)s",
    "open": "(r.closed_at IS NULL) = %(open)s",
}
# Served by the index on opened_position.
REVIEWS = (
    "SELECT r.opened_position, r.review AS id, r.version, r.kind, r.team, r.since, r.until,"
    " r.supervisors, r.position, r.counts, r.total, r.opened_at, r.closed_at, r.closed_by"
    " FROM {reviews} r WHERE r.opened_position < %(before)s"
    " AND (%(teams)s::text[] IS NULL OR r.team = ANY (%(teams)s)) AND "
)
NEWEST = " ORDER BY r.opened_position DESC LIMIT %(limit)s"
# Served by the index on proposed_position.
PROPOSALS = (
    "SELECT s.proposed_position AS position, l.lead AS id, l.code, l.customer, l.owner, l.team,"
    " l.stage, l.level, l.follow_ups, s.proposed_reason AS reason, s.proposed_month AS month,"
    " s.proposed_at, s.evidence, s.last_at AS last_follow_up_at"
    " FROM {standings} s JOIN {leads} l USING (lead)"
    " WHERE s.stands AND s.proposed_position > %(after)s"
    " AND NOT (l.merged OR l.converted OR l.invalidated OR l.erased_at IS NOT NULL)"
    f" AND {within('l')}"
    " ORDER BY s.proposed_position LIMIT %(limit)s"
)


def reviews(
    conn: Connection,
    filters: Mapping[str, Any],
    teams: Collection[str] | None,
    before: int | None,
    limit: int,
) -> tuple[int, list[Row]]:
    """A position that is reflected, and reviews of these teams (None = all), newest first."""
    build = live_builds(conn)["reviews"]
    conditions = " AND ".join(["true", *(CONDITIONS[name] for name in filters)])
    statement = sql.SQL(REVIEWS + conditions + NEWEST).format(
        reviews=sql.Identifier(build.schema, "reviews")
    )
    given = {
        **filters,
        "before": 2**63 - 1 if before is None else before,
        "teams": None if teams is None else sorted(teams),
        "limit": limit,
    }
    rows = conn.cursor(row_factory=dict_row).execute(statement, given).fetchall()
    return build.position, rows


def proposals(conn: Connection, scope: Scope, after: int, limit: int) -> tuple[int, list[Row]]:
    """A position that is reflected, and leads within a scope that are proposed to be given up, the
    longest proposed first.
    """
    builds = live_builds(conn)
    reviewing, leads = builds["reviewing"], builds["leads"]
    statement = sql.SQL(PROPOSALS).format(
        standings=sql.Identifier(reviewing.schema, "standings"),
        leads=sql.Identifier(leads.schema, "leads"),
    )
    wanted = arguments(scope) | {"after": after, "limit": limit}
    rows = conn.cursor(row_factory=dict_row).execute(statement, wanted).fetchall()
    return min(reviewing.position, leads.position), rows
