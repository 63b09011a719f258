"""Pages of leads, in an order that an index serves, of those that the caller may see."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.builds import live_builds
from adapters.postgres.lead_queries import Row
from adapters.postgres.row_scope import arguments, branches
from adapters.postgres.tables import Connection
from aggregates.directory.scope import Scope
from aggregates.policy.entry import LEVELS

Place: TypeAlias = tuple[int, datetime | None, UUID]
"""Where a page ends: the segment of the order, the time of capture in it, the lead."""

DISPOSITION = (
    "CASE WHEN l.merged THEN 'merged' WHEN l.converted THEN 'converted'"
    " WHEN l.invalidated THEN 'invalid' ELSE 'open' END"
)
COLUMNS = (
    "l.lead AS id, l.code, l.external_id, l.source_system, l.version, l.captured_at, l.stage,"
    f" {DISPOSITION} AS disposition, l.customer, l.phone,"
    " l.email, l.source, l.industry, l.region, l.customer_type, l.campaign, l.level, l.segment,"
    " l.owner, l.team, l.pool, l.paused, cardinality(l.missing) > 0 AS incomplete, l.follow_ups,"
    " l.first_response_at, l.converted_at, l.amount"
)
NEWEST = "ORDER BY l.captured_at DESC, l.lead DESC LIMIT %(limit)s"
CONDITIONS: Mapping[str, str] = {
    **{
        name: f"l.{name} = %({name})s"
        for name in (
            "stage",
            "level",
            "source",
            "industry",
            "region",
            "owner",
            "team",
            "pool",
            "paused",
        )
    },
    "disposition": f"{DISPOSITION} = %(disposition)s",
    "unassigned": "(l.owner IS NULL) = %(unassigned)s",
    "incomplete": "(cardinality(l.missing) > 0) = %(incomplete)s",
    "q": (
        "(strpos(lower(l.customer), lower(%(q)s)) > 0 OR strpos(lower(l.contact), lower(%(q)s)) > 0"
        " OR strpos(lower(l.code), lower(%(q)s)) > 0)"
    ),
}
"""What a list can be filtered by. Contact details are masked here: nothing finds a lead by them."""
_ANY_LEVEL = ("true",)
_BY_LEVEL = (*(f"l.level = '{level}'" for level in LEVELS), "l.level IS NULL")
# In each of these the leads are in order of capture; unknown times come last.
SORTS: Mapping[str, Sequence[str]] = {
    sort: [
        f"{level} AND l.captured_at IS {known}"
        for level in levels
        for known in ("NOT NULL", "NULL")
    ]
    for sort, levels in (("captured_at", _ANY_LEVEL), ("level", _BY_LEVEL))
}


def leads(
    conn: Connection,
    filters: Mapping[str, Any],
    scope: Scope,
    *,
    sort: str = "captured_at",
    after: Place | None = None,
    limit: int,
) -> tuple[int, list[Row]]:
    """A page of captured leads within a scope that meet all filters; each knows its `segment`.

    `sort`: `captured_at`, newest first, or `level`, the highest first and the newest within one.
    """
    build = live_builds(conn)["leads"]
    first = after[0] if after else 0
    rows: list[Row] = []
    for segment, within in list(enumerate(SORTS[sort]))[first:]:
        place = after[1:] if after and segment == first else None
        given = {**filters, **arguments(scope), "limit": limit - len(rows)}
        if place:
            given |= {"at": place[0], "lead": place[1]}
        conditions = ("l.captured", within, _behind(place), *(CONDITIONS[f] for f in filters))
        statement = sql.SQL(_statement(scope, " AND ".join(conditions))).format(
            leads=sql.Identifier(build.schema, "leads")
        )
        found = conn.cursor(row_factory=dict_row).execute(statement, given).fetchall()
        rows += [row | {"segment": segment} for row in found]
        if len(rows) == limit:
            break
    return build.position, rows


def _behind(place: tuple[datetime | None, UUID] | None) -> str:
    if place is None:
        return "true"
    return (
        "l.lead < %(lead)s" if place[0] is None else "(l.captured_at, l.lead) < (%(at)s, %(lead)s)"
    )


def _statement(scope: Scope, condition: str) -> Any:
    """One ordered scan, or one for each way in which a lead comes into the scope."""
    if scope.everything:
        return f"SELECT {COLUMNS} FROM {{leads}} l WHERE {condition} {NEWEST}"
    ways = " UNION ".join(
        "SELECT b.captured_at, b.lead FROM"
        f" {source} CROSS JOIN LATERAL (SELECT l.captured_at, l.lead FROM {{leads}} l"
        f" WHERE {way} AND {condition} {NEWEST}) AS b"
        for source, way in branches(scope).items()
    )
    return (
        f"SELECT {COLUMNS} FROM (SELECT * FROM ({ways}) AS l {NEWEST}) AS found"
        " JOIN {leads} l USING (lead) ORDER BY l.captured_at DESC, l.lead DESC"
    )
