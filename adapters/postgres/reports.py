"""Answers reports from one snapshot: from the live read tables, or from a fold of an earlier log.

Both hold the same tables under the same names, so one SQL text serves both. An answer reflects all
of the log up to its position; of two live tables one may be ahead of it for a moment.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from psycopg import sql

from adapters.postgres import log_reader
from adapters.postgres.builds import Build, live_builds
from adapters.postgres.parking import parked_positions
from adapters.postgres.row_scope import arguments, within
from adapters.postgres.tables import Connection, fold_prefix
from aggregates.directory.scope import EVERYTHING, Scope
from aggregates.refusal import Refusal
from commands.ports import Unavailable
from projections.catalogue import PROJECTIONS
from projections.reports.params import ReportParams
from projections.reports.report import Body, Report

# Positions are 1..n and recorded_at never decreases along them.
KNOWN_AT = (
    "SELECT coalesce(max(notification_id), 0) FROM log.leadlog_events WHERE recorded_at <= %s"
)
USE = "SELECT set_config('search_path', %s, true)"
# As things are now: who may see a lead does not depend on what is asked about it.
VISIBLE = (
    f"CREATE TEMP TABLE visible ON COMMIT DROP AS SELECT l.lead FROM {{}} l WHERE {within('l')}"
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A page of what stands behind a cell, the log position it reflects, and where to go on.

    `next` is the `after` of the next page; None = this was the last one.
    """

    position: int
    rows: list[dict[str, Any]]
    next: int | None


def run(conn: Connection, report: Report, params: ReportParams, scope: Scope = EVERYTHING) -> Body:
    """The report's answer over the leads of a scope.

    Raises Refusal, or Unavailable when its tables are not there yet.
    """
    params = replace(params, visible_only=not scope.everything)
    query = report.query(params)
    with _facts(conn, report.projections, params, scope) as position:
        return report.body(params, conn.execute(query.sql, query.args), position)


def evidence(
    conn: Connection,
    report: Report,
    params: ReportParams,
    bucket: str,
    scope: Scope = EVERYTHING,
    *,
    after: int = 0,
    limit: int | None = None,
) -> Evidence:
    """The leads and log positions behind a bucket, in order of position (interface.md section 5).

    Their counts equal the row's. At most `limit` of them, behind position `after`.
    """
    params = replace(params, visible_only=not scope.everything)
    query = report.evidence_query(params, bucket, after=after, limit=limit)
    needed = (*report.projections, *report.evidence(params).projections)
    with _facts(conn, needed, params, scope) as position:
        rows = conn.execute(query.sql, query.args).fetchall()
    more = rows[-1][0] if rows and len(rows) == limit else None
    return Evidence(position, [row for _, row in rows], more)


@contextmanager
def _facts(
    conn: Connection, names: Sequence[str], params: ReportParams, scope: Scope
) -> Iterator[int]:
    """A transaction in which bare table names mean the facts asked for; yields the position."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        builds = _builds(conn, names)
        if params.visible_only:
            (leads,) = _builds(conn, ["leads"])
            table = sql.Identifier(leads.schema, "leads")
            conn.execute(sql.SQL(VISIBLE).format(table), arguments(scope))
        if params.historical:
            position = _last_position(conn, params)
            for build in builds:
                skip = parked_positions(conn, build)
                projection = PROJECTIONS[build.name]
                fold_prefix(conn, projection, position, as_of=params.as_of, skip=skip)
        else:
            position = min(build.position for build in builds)
            conn.execute(USE, (", ".join(build.schema for build in builds),))
        conn.execute("SET TRANSACTION READ ONLY")
        yield position


def _builds(conn: Connection, names: Sequence[str]) -> list[Build]:
    live = live_builds(conn)
    if missing := [name for name in names if name not in live]:
        raise Unavailable(f"the read tables {', '.join(missing)} are not built yet: try again")
    return [live[name] for name in names]


def _last_position(conn: Connection, params: ReportParams) -> int:
    """The last position that counts: of what was known by then, or of the whole log."""
    head = log_reader.head(conn)
    if params.as_known is not None:
        row = conn.execute(KNOWN_AT, (params.as_known,)).fetchone()
        assert row is not None
        return int(row[0])
    if params.at_position is None:
        return head
    if not 0 <= params.at_position <= head:
        raise Refusal(
            "invalid-parameter", f"at_position: the log has positions 0 to {head}", "at_position"
        )
    return params.at_position
