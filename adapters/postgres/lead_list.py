"""Pages of leads, in an order that an index serves, of those that the caller may see."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.builds import live_builds
from adapters.postgres.lead_queries import Row
from adapters.postgres.row_scope import arguments, branches
from adapters.postgres.tables import Connection
from aggregates.directory.scope import Scope
from projections.tasks import RANKS, UNRATED_RANK

Place: TypeAlias = tuple[int, datetime | None, UUID]
"""Where a page ends: the segment of the order, the time that its leads are sorted by, the lead."""


class Segment(NamedTuple):
    """Leads that lie together in an order, that order, and what lies behind a place in it."""

    within: str
    order: str
    behind: str


class Sort(NamedTuple):
    """The segments of an order, one behind the other, and the time that each is sorted by."""

    by: str
    segments: Sequence[Segment]


_DUE = "coalesce(l.due_at, 'infinity')"
SORTS: Mapping[str, Sort] = {
    "level-then-due": Sort(
        "due_at",
        [
            Segment(
                f"l.level_rank = {rank}",
                f"{_DUE}, l.lead",
                f"({_DUE}, l.lead) > (coalesce(%(at)s, 'infinity'::timestamptz), %(lead)s)",
            )
            for rank in range(UNRATED_RANK + 1)
        ],
    ),
    "captured_at": Sort(
        "captured_at",
        [
            Segment(
                "l.captured_at IS NOT NULL",
                "l.captured_at DESC, l.lead DESC",
                "(l.captured_at, l.lead) < (%(at)s, %(lead)s)",
            ),
            Segment("l.captured_at IS NULL", "l.lead DESC", "l.lead < %(lead)s"),
        ],
    ),
}
"""Each is served by indexes of the read model, for every way into a scope."""
DEFAULT_SORT = "level-then-due"

DISPOSITION = (
    "CASE WHEN l.merged THEN 'merged' WHEN l.converted THEN 'converted'"
    " WHEN l.invalidated THEN 'invalid' ELSE 'open' END"
)
COLUMNS = (
    "l.lead AS id, l.code, l.external_id, l.source_system, l.version, l.captured_at, l.stage,"
    f" {DISPOSITION} AS disposition, l.customer, l.phone,"
    " l.email, l.source, l.industry, l.region, l.customer_type, l.campaign, l.level, l.segment,"
    " l.owner, l.team, l.pool, l.paused, cardinality(l.missing) > 0 AS incomplete, l.follow_ups,"
    " l.first_response_at, l.converted_at, l.amount, l.due_at, l.overdue, l.erased_at"
)
_RANK = f"coalesce(array_position(ARRAY{list(RANKS)}, %(level)s) - 1, {UNRATED_RANK})"
CONDITIONS: Mapping[str, str] = {
    **{
        name: f"l.{name} = %({name})s"
        for name in (
            "stage",
            "source",
            "industry",
            "region",
            "owner",
            "team",
            "pool",
            "paused",
            "overdue",
        )
    },
    "level": f"l.level = %(level)s AND l.level_rank = {_RANK}",
    "disposition": f"{DISPOSITION} = %(disposition)s",
    "unassigned": "(l.owner IS NULL) = %(unassigned)s",
    "incomplete": "(cardinality(l.missing) > 0) = %(incomplete)s",
    "q": (
        "(strpos(lower(l.customer), lower(%(q)s)) > 0 OR strpos(lower(l.contact), lower(%(q)s)) > 0"
        " OR strpos(lower(l.code), lower(%(q)s)) > 0)"
    ),
}
"""What a list can be filtered by. Contact details are masked here: nothing finds a lead by them."""


def leads(
    conn: Connection,
    filters: Mapping[str, Any],
    scope: Scope,
    *,
    sort: str = DEFAULT_SORT,
    after: Place | None = None,
    limit: int,
) -> tuple[int, list[Row]]:
    """A page of captured leads within a scope that meet all filters; each knows its `place`.

    `sort`: `level-then-due`, the highest level first, in it what is due first (R11), or
    `captured_at`, the newest first.
    """
    build = live_builds(conn)["leads"]
    first = after[0] if after else 0
    rows: list[Row] = []
    by, segments = SORTS[sort]
    for number, segment in list(enumerate(segments))[first:]:
        place = after[1:] if after and number == first else None
        given = {**filters, **arguments(scope), "limit": limit - len(rows)}
        if place:
            given |= {"at": place[0], "lead": place[1]}
        behind = segment.behind if place else "true"
        conditions = ("l.captured", segment.within, behind, *(CONDITIONS[f] for f in filters))
        order = f"ORDER BY {segment.order} LIMIT %(limit)s"
        statement = sql.SQL(_statement(scope, " AND ".join(conditions), order)).format(
            leads=sql.Identifier(build.schema, "leads")
        )
        found = conn.cursor(row_factory=dict_row).execute(statement, given).fetchall()
        rows += [row | {"place": (number, row[by], row["id"])} for row in found]
        if len(rows) == limit:
            break
    return build.position, rows


def _statement(scope: Scope, condition: str, order: str) -> Any:
    """One ordered scan, or one for each way in which a lead comes into the scope."""
    if scope.everything:
        return f"SELECT {COLUMNS} FROM {{leads}} l WHERE {condition} {order}"
    ways = " UNION ".join(
        "SELECT b.captured_at, b.due_at, b.lead FROM"
        f" {source} CROSS JOIN LATERAL (SELECT l.captured_at, l.due_at, l.lead FROM {{leads}} l"
        f" WHERE {way} AND {condition} {order}) AS b"
        for source, way in branches(scope).items()
    )
    return (
        f"SELECT {COLUMNS} FROM (SELECT * FROM ({ways}) AS l {order}) AS found"
        f" JOIN {{leads}} l USING (lead) {order}"
    )
