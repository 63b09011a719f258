"""What the API asks about leads: histories from the log, pages from the read models."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres import log_reader
from adapters.postgres.builds import Build, live_builds
from adapters.postgres.log_reader import COLUMNS
from adapters.postgres.tables import Connection
from aggregates.event import Recorded

Row: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[datetime | None, UUID]

HISTORY = (
    f"SELECT {COLUMNS} FROM log.leadlog_events WHERE originator_id = %s ORDER BY originator_version"
)
FOLLOW_UPS = (
    "SELECT position, code, at, recorded_at, by, method, content, feedback, next_step,"
    " next_step_due, stage, outcome, connected"
    " FROM {table} WHERE lead = %s AND position > %s ORDER BY position LIMIT %s"
)
# Captured leads, newest first. Those whose capture time is unknown come last, so the index on
# captured_at serves both halves.
LEADS = (
    "SELECT lead AS id, code, external_id, source_system, version, captured_at, stage,"
    " CASE WHEN converted THEN 'converted' WHEN invalidated THEN 'invalid' ELSE 'open' END"
    " AS disposition, customer, phone, email, source, industry, region, customer_type, campaign,"
    " level, segment, owner, team, follow_ups, first_response_at, converted_at, amount"
    " FROM {table} WHERE captured AND {conditions}"
    " ORDER BY captured_at DESC, lead DESC LIMIT {limit}"
)
FILTERS = ("stage", "level", "source", "industry", "region", "owner", "team")


def history(conn: Connection, lead: UUID) -> tuple[int, list[Recorded]]:
    """A position of the log, and the lead's events at least up to there."""
    position = log_reader.head(conn)
    rows = conn.cursor(binary=True).execute(HISTORY, (lead,)).fetchall()
    return position, log_reader.decode(rows)


def follow_ups(conn: Connection, lead: UUID, after: int, limit: int) -> tuple[int, list[Row]]:
    """The lead's follow-ups recorded behind a position, in order of recording."""
    build = live_builds(conn)["follow_ups"]
    statement = sql.SQL(FOLLOW_UPS).format(table=_table(build, "follow_ups"))
    rows = conn.cursor(row_factory=dict_row).execute(statement, (lead, after, limit)).fetchall()
    return build.position, rows


def leads(
    conn: Connection, filters: Mapping[str, str], after: Place | None, limit: int
) -> tuple[int, list[Row]]:
    """A page of captured leads that have all of the `filters`' values, behind `after`."""
    build = live_builds(conn)["leads"]
    rows: list[Row] = []
    if after is None or after[0] is not None:
        known = "captured_at IS NOT NULL"
        behind = "(captured_at, lead) < (%s, %s)" if after else "true"
        rows = _page(conn, build, filters, (known, behind), after or (), limit)
        after = None
    if len(rows) < limit:
        behind = "lead < %s" if after else "true"
        place = after[1:] if after else ()
        unknown = ("captured_at IS NULL", behind)
        rows += _page(conn, build, filters, unknown, place, limit - len(rows))
    return build.position, rows


def _page(
    conn: Connection,
    build: Build,
    filters: Mapping[str, str],
    conditions: Sequence[str],
    place: Sequence[Any],
    limit: int,
) -> list[Row]:
    assert filters.keys() <= set(FILTERS)
    wanted = (sql.SQL("{} = %s").format(sql.Identifier(name)) for name in filters)
    statement = sql.SQL(LEADS).format(
        table=_table(build, "leads"),
        conditions=sql.SQL(" AND ").join((*map(sql.SQL, conditions), *wanted)),
        limit=sql.Literal(limit),
    )
    cursor = conn.cursor(row_factory=dict_row)
    return cursor.execute(statement, (*place, *filters.values())).fetchall()


def _table(build: Build, name: str) -> sql.Identifier:
    return sql.Identifier(build.schema, name)
