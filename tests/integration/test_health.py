"""`/health/ready` tells what is wrong and what to do; `/health/live` only that somebody answers."""

import asyncio
import time
from typing import Any

import psycopg
import pytest

from adapters.postgres.builds import live_builds
from adapters.postgres.tables import connect
from tests.integration.api_client import Api, running

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.postgres.vital_signs.FRESH_SECONDS", 0.0)


async def ready(api: Api, status: int) -> dict[str, Any]:
    answer = await api.get("/health/ready", role=None)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_without_a_worker_it_serves_and_says_so(api: Api) -> None:
    await api.lead()
    found = await ready(api, 200)
    assert found["status"] == "degraded"
    assert found["lag"]["leads"] == found["position"] == 5
    (problem,) = found["problems"]
    assert problem.startswith("no worker has ")
    assert "process:deadlines" in problem
    assert "leadlog worker" in problem
    assert (await api.get("/health/live", role=None)).json() == {"status": "ok"}


async def test_with_every_lease_taken_all_is_well(api: Api) -> None:
    with connect(api.dsn, autocommit=True) as conn:
        for name in live_builds(conn):
            conn.execute("SELECT pg_advisory_lock(7220503, hashtext(%s))", [name])
        for name in ("assignment", "deadlines", "periodic", "webhooks"):
            conn.execute("SELECT pg_advisory_lock(7220504, hashtext(%s))", [f"process:{name}"])
        assert (await ready(api, 200))["problems"] == [
            "no worker has process:seal: start `leadlog worker`"
        ]
        conn.execute("SELECT pg_advisory_lock(7220504, hashtext('process:seal'))")
        assert await ready(api, 200) == {
            "status": "ok",
            "position": 0,
            "lag": dict.fromkeys(sorted(live_builds(conn)), 0),
            "problems": [],
        }


async def test_read_models_that_are_too_old_are_told(dsn: str) -> None:
    """With 200: they are as old at any other process, and a proxy must not turn away from all."""
    async with running(dsn, ready_lag_seconds=0.001) as api:
        await api.lead()
        found = await ready(api, 200)
        assert found["status"] == "behind"
        assert "leads lacks 5 events" in str(found["problems"])
        await api.project()
        assert (await ready(api, 200))["status"] == "degraded"


async def test_events_that_nobody_seals_are_told(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.health.LATE_SECONDS", 0.0)
    async with running(dsn, seal_seconds=0.001) as api:
        await api.lead()
        await api.project()
        assert "are in no checkpoint" in str((await ready(api, 200))["problems"])


async def test_an_older_schema_is_told(api: Api) -> None:
    """As after a restored backup."""
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        conn.execute("DELETE FROM leadlog_meta.migrations WHERE name >= '0018'")
    (problem,) = (await ready(api, 503))["problems"]
    assert "run `leadlog migrate`" in problem
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        conn.execute("DROP TABLE outbox.attempts")
    (problem,) = (await ready(api, 503))["problems"]
    assert problem == "tables are missing: run `leadlog migrate`"


async def test_little_disk_is_told(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.health.LITTLE_DISK", 1.1)
    async with running(dsn) as api:  # as if its database were embedded
        assert "disk are free" in str((await ready(api, 200))["problems"])


async def test_whoever_is_ending_is_not_ready(api: Api) -> None:
    api.app.state.health.draining = True
    assert (await ready(api, 503))["status"] == "draining"
    answer = await api.get("/health/live", role=None)
    assert answer.headers["connection"] == "close"


async def test_a_database_that_is_stuck_keeps_nobody_waiting(api: Api) -> None:
    """As while a migration holds its locks: the answer is that, soon, and to all who ask."""
    await ready(api, 200)
    with psycopg.connect(api.dsn) as conn:
        conn.execute("LOCK log.leadlog_events IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        found = await asyncio.gather(*(ready(api, 503) for _ in range(10)))
        assert time.monotonic() - begun < 4, "one look for all of them"
        assert {body["status"] for body in found} == {"unavailable"}
    await ready(api, 200)
