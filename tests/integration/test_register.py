"""The register on PostgreSQL: two processes see each other's changes, cheaply."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import anyio
import psycopg
import pytest

from adapters.postgres.register import (
    CHANGES,
    FRESH_SECONDS,
    PostgresRegistry,
    read_register,
)
from adapters.postgres.tables import connect
from aggregates.directory import events as d
from aggregates.policy.events import PolicyVersionActivated
from commands.register import Register
from tests.integration.report_log import Log, captured

pytestmark = pytest.mark.anyio


@pytest.fixture
async def registry(dsn: str) -> AsyncIterator[PostgresRegistry]:
    registry = PostgresRegistry(dsn)
    yield registry
    await registry.close()


async def test_a_change_elsewhere_is_seen_within_a_second(
    dsn: str, registry: PostgresRegistry
) -> None:
    assert (await registry.current()) == Register()
    Log(dsn).append(
        captured("L1", None),
        ("p", d.PersonAdded(name="王芳", role="sales")),
        ("x", PolicyVersionActivated(kind="pause", version=2, document={}, hash="ab")),
    )
    recorded = time.monotonic()
    while (register := await registry.current()).position == 0:
        assert time.monotonic() < recorded + FRESH_SECONDS + 0.5
        await anyio.sleep(0.05)
    assert register.position == 3
    assert register.people["王芳"].role == "sales"
    assert register.policies.pause.ref.version == 2


async def test_between_refreshes_nothing_is_asked(dsn: str, registry: PostgresRegistry) -> None:
    first = await registry.current()
    Log(dsn).append(("p", d.PersonAdded(name="王芳", role="sales")))
    assert await registry.current() is first
    assert (await registry.latest()).position == 1
    assert (await registry.current()).position == 1


def test_the_register_of_an_earlier_position(dsn: str) -> None:
    Log(dsn).append(
        ("p", d.PersonAdded(name="王芳", role="sales")),
        ("p", d.RoleChanged(name="王芳", role="admin")),
    )
    with connect(dsn) as conn:
        then, now = read_register(conn, 1), read_register(conn)
        assert (then.people["王芳"].role, now.people["王芳"].role) == ("sales", "admin")


def test_a_refresh_reads_no_events_of_leads(dsn: str) -> None:
    """The hot query of every process: it walks the partial index, whatever the log holds."""
    log = Log(dsn)
    for number in range(20):
        log.append(*(captured(f"L{number}-{n}", None) for n in range(200)))
        log.append((f"p{number}", d.PersonAdded(name=f"p{number}")))
    with psycopg.connect(dsn) as conn:
        conn.execute("ANALYZE log.leadlog_events")
        for after in (0, 2000):
            plan = explained(conn, after)
            assert plan["Index Name"] == "leadlog_events_register_idx"
            assert plan["Actual Rows"] <= 20
            assert plan.get("Rows Removed by Filter", 0) == 0


def explained(conn: psycopg.Connection[Any], after: int) -> dict[str, Any]:
    """The plan as a process has it after a while: one for all positions."""
    conn.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    conn.execute("DEALLOCATE ALL")
    statement = CHANGES.replace("%%", "%").replace("%s", "$1")
    conn.execute(f"PREPARE changes (bigint) AS {statement}")
    row = conn.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE changes ({after})").fetchone()
    assert row
    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
    node: dict[str, Any] = plan[0]["Plan"]
    while "Index Name" not in node and "Plans" in node:
        node = node["Plans"][0]
    return node
