"""What is to be done, and what supervisors look at, in an order that an index serves.

A list is of all tasks, or of those of some people and teams; of these only the ones of leads that
the caller may see.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.builds import live_builds
from adapters.postgres.lead_list import Segment
from adapters.postgres.lead_queries import Row
from adapters.postgres.row_scope import arguments, within
from adapters.postgres.tables import Connection
from aggregates.directory.scope import Scope
from projections.tasks import TO_DO, UNRATED_RANK

TaskPlace: TypeAlias = tuple[int, datetime | None, UUID, str]
"""Where a page of tasks ends: the rank of the level, when it is due, the lead, the task's name."""
EscalationPlace: TypeAlias = tuple[int, int, int]
"""Where a page of escalations ends: the segment, the rank of the level, the position in the log."""

TASK = (
    "t.lead, l.code, l.customer, t.name, t.kind, t.owner, t.team, l.level, t.stage, t.follow_up,"
    " t.since, t.due_at, t.due_on, t.overdue, t.paused, t.state, t.done_at, t.done_by,"
    " l.paused_since, t.level_rank"
)
ESCALATION = (
    "t.lead, l.code, l.customer, t.owner, t.team, l.level, l.stage, t.since, t.due_at,"
    " l.assigned_at, l.first_response_at, l.missing, t.reason, t.state, t.escalated_to, l.paused,"
    " t.level_rank, t.position"
)
_DUE = "coalesce(t.due_at, 'infinity')"
TURNS = [
    Segment(
        f"t.level_rank = {rank}",
        f"{_DUE}, t.lead, t.name",
        f"({_DUE}, t.lead, t.name)"
        " > (coalesce(%(at)s, 'infinity'::timestamptz), %(after)s, %(name)s)",
    )
    for rank in range(UNRATED_RANK + 1)
]
"""High levels first, then what is due first (R11)."""
CONDITIONS: Mapping[str, str] = {
    **{name: f"t.{name} = %({name})s" for name in ("owner", "team", "kind", "paused", "state")},
    "overdue": f"t.overdue = %(overdue)s AND (NOT %(overdue)s OR {_DUE} <= %(now)s)",
    "due_before": f"{_DUE} < %(due_before)s",
}
KINDS: Mapping[str, tuple[str, Sequence[str]]] = {
    "escalated": ("t.kind = 'late-reason'", ("open", "done")),
    "incomplete": ("t.kind = 'complete-info' AND t.overdue", ("open",)),
    "paused": ("t.kind = 'pause'", ("open",)),
}
"""What supervisors look at: which tasks these are, and in which states, one behind the other."""
OF_A_LEAD = (
    f"SELECT {TASK} FROM {{tasks}} t JOIN {{leads}} l USING (lead)"
    f" WHERE t.lead = %s AND t.{TO_DO} ORDER BY t.state <> 'open', {_DUE}, t.name"
)


def tasks(
    conn: Connection,
    filters: Mapping[str, Any],
    scope: Scope,
    *,
    now: datetime,
    after: TaskPlace | None,
    limit: int,
) -> tuple[int, list[Row]]:
    """A position that is reflected, and tasks of a scope's people and teams behind a place."""
    given = {**filters, "now": now}
    if after:
        given |= dict(zip(("at", "after", "name"), after[1:], strict=True))
    conditions = (f"t.{TO_DO}", *(CONDITIONS[name] for name in filters))
    start = after[0] if after else None
    return _page(conn, TASK, TURNS, conditions, given, scope, start, limit)


def escalations(
    conn: Connection,
    kind: str,
    filters: Mapping[str, Any],
    scope: Scope,
    *,
    after: EscalationPlace | None,
    limit: int,
) -> tuple[int, list[Row]]:
    """A position that is reflected, and leads for supervisors behind a place, the open ones first,
    in these the highest level, in that what is there the longest.
    """
    these, states = KINDS[kind]
    behind = "(t.level_rank, t.position) > (%(rank)s, %(position)s)"
    segments = [Segment(f"t.state = '{s}'", "t.level_rank, t.position", behind) for s in states]
    given = dict(filters)
    if after:
        given |= {"rank": after[1], "position": after[2]}
    conditions = (these, *(CONDITIONS[name] for name in filters))
    start = after[0] if after else None
    return _page(conn, ESCALATION, segments, conditions, given, scope, start, limit)


def of_lead(conn: Connection, lead: UUID) -> tuple[int, list[Row]]:
    """A position that is reflected, and the tasks of one lead, the open ones first."""
    position, tables = _tables(conn)
    query = sql.SQL(OF_A_LEAD).format(**tables)
    return position, conn.cursor(row_factory=dict_row).execute(query, (lead,)).fetchall()


def _page(
    conn: Connection,
    columns: str,
    segments: Sequence[Segment],
    conditions: Sequence[str],
    given: Mapping[str, Any],
    scope: Scope,
    start: int | None,
    limit: int,
) -> tuple[int, list[Row]]:
    """Rows that know their `segment`, from behind the place in `given`, which lies in segment
    `start`.
    """
    position, tables = _tables(conn)
    people = sorted({*scope.owners, *([scope.person] if scope.person else [])})
    rows: list[Row] = []
    for number, segment in list(enumerate(segments))[start or 0 :]:
        behind = [segment.behind] if number == start else []
        where = " AND ".join((*conditions, segment.within, *behind))
        statement = _statement(columns, where, segment.order, everything=scope.everything)
        values = {**arguments(scope), **given, "people": people, "limit": limit - len(rows)}
        found = (
            conn.cursor(row_factory=dict_row)
            .execute(sql.SQL(statement).format(**tables), values)
            .fetchall()
        )
        rows += [row | {"segment": number} for row in found]
        if len(rows) == limit:
            break
    return position, rows


def _statement(columns: str, where: str, order: str, *, everything: bool) -> Any:
    """One ordered scan, or one for each person and team."""
    page = f"ORDER BY {order} LIMIT %(limit)s"
    joined = "{tasks} t JOIN {leads} l USING (lead)"
    if everything:
        return f"SELECT {columns} FROM {joined} WHERE {where} {page}"
    ways = " UNION ".join(
        f"SELECT b.* FROM unnest(%({whose})s::text[]) AS own (name) CROSS JOIN LATERAL"
        f" (SELECT t.lead, t.name, t.level_rank, t.due_at, t.position FROM {joined}"
        f" WHERE t.{column} = own.name AND {where} AND {within('l')} {page}) AS b"
        for whose, column in (("people", "owner"), ("teams", "team"))
    )
    return (
        f"SELECT {columns} FROM (SELECT * FROM ({ways}) AS t {page}) AS found"
        f" JOIN {{tasks}} t USING (lead, name) JOIN {{leads}} l USING (lead) {page}"
    )


def _tables(conn: Connection) -> tuple[int, Mapping[str, sql.Identifier]]:
    builds = live_builds(conn)
    tasks, leads = builds["tasks"], builds["leads"]
    tables = {
        "tasks": sql.Identifier(tasks.schema, "tasks"),
        "leads": sql.Identifier(leads.schema, "leads"),
    }
    return min(tasks.position, leads.position), tables
