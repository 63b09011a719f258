"""What the sweep asks is found through an index, however many clocks run and leads are imported.

R40, R41, R53: the sweep comes by many times a second.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.postgres.builds import ensure_live
from adapters.postgres.due_leads import DUE, NEXT, UNARMED
from adapters.postgres.live_build import ON_BUILD
from adapters.postgres.tables import Connection, connect
from projections.tasks import PROJECTION

NOW = datetime(2024, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LEADS = 20_000
# Every second clock has rung already or is stopped, one in a thousand is due, the rest comes later.
TASKS = (
    "INSERT INTO {schema}.tasks (lead, name, kind, state, level_rank, position, rings_at,"
    " overdue, paused, escalated_to) SELECT gen_random_uuid(), 'first-follow-up',"
    " 'first-follow-up', 'open', 1, n, CASE WHEN n %% 1000 = 0 THEN %(now)s::timestamptz"
    " - interval '1 hour' WHEN n %% 2 = 0 THEN %(now)s::timestamptz + n * interval '1 minute' END,"
    " false, false, '{{}}' FROM generate_series(1, %(leads)s) n"
)
# An imported history of which the last tenth is recent.
TIMED = (
    "INSERT INTO {schema}.timed_leads (lead, captured, historical, paused, merged, converted,"
    " invalidated, erased, arms_from, arms_since) SELECT gen_random_uuid(), true, true, false,"
    " false, false, false, false, CASE WHEN n > %(leads)s * 9 / 10 THEN %(now)s::timestamptz ELSE"
    " %(now)s::timestamptz - interval '1 year' END, n FROM generate_series(1, %(leads)s) n"
)


@pytest.fixture
def conn(dsn: str) -> Iterator[Connection]:
    """A read model of many clocks."""
    with connect(dsn, autocommit=True) as conn:
        schema = ensure_live(conn, PROJECTION).schema
        for statement in (TASKS, TIMED):
            conn.execute(statement.format(schema=schema), {"now": NOW, "leads": LEADS})
        conn.execute(f"ANALYZE {schema}.tasks, {schema}.timed_leads")
        yield conn


@pytest.mark.parametrize(
    ("asked", "types", "params", "rows"),
    [
        pytest.param(DUE, "timestamptz, bigint", (NOW, 512), 20, id="due"),
        pytest.param(DUE, "timestamptz, bigint", (NOW - DAY, 512), 0, id="nothing due"),
        pytest.param(NEXT, "", (), 1, id="next"),
        pytest.param(UNARMED, "timestamptz, bigint, bigint", (NOW - DAY, 0, 512), 512, id="first"),
        pytest.param(
            UNARMED, "timestamptz, bigint, bigint", (NOW - DAY, LEADS, 512), 0, id="nothing new"
        ),
    ],
)
def test_the_sweep_reads_what_it_finds_and_no_more(
    conn: Connection, asked: str, types: str, params: Sequence[Any], rows: int
) -> None:
    """As prepared for all instants and positions, which a process has after a while."""
    plan = explained(conn, asked, types, params)
    scans = [node for node in nodes(plan) if node.get("Relation Name") in ("tasks", "timed_leads")]
    assert [node["Node Type"] for node in scans] in (["Index Scan"], ["Index Only Scan"])
    assert scans[0]["Actual Rows"] == rows
    assert scans[0].get("Rows Removed by Filter", 0) == 0
    assert scans[0]["Shared Hit Blocks"] + scans[0]["Shared Read Blocks"] < 2 * rows + 200


def explained(conn: Connection, asked: str, types: str, params: Sequence[Any]) -> dict[str, Any]:
    statement = ON_BUILD.format(asked=asked.format(schema="p_tasks_1"), name="tasks", generation=1)
    for number in range(1, len(params) + 1):
        statement = statement.replace("%b", f"${number}", 1)
    conn.execute("SET plan_cache_mode = force_generic_plan")
    conn.execute(f"PREPARE sweep{f' ({types})' if types else ''} AS {statement}")
    given = "(" + ", ".join(f"'{value}'" for value in params) + ")" if params else ""
    row = conn.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE sweep{given}").fetchone()
    assert row is not None
    found = row[0] if isinstance(row[0], list) else json.loads(row[0])
    plan: dict[str, Any] = found[0]["Plan"]
    return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A plan and all below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)
