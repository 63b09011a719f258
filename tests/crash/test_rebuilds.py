"""Blue/green rebuilds under load, killed at random, resumed, rolled back: no reader notices (T8).

Every event of these logs is a lead's, and every lead is captured by its first one. So whoever
reads `report.leads` at any moment finds versions that add up to the highest position.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres import rebuild as rebuilding
from adapters.postgres import reports
from adapters.postgres.builds import Build, find, live_builds
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.rebuild import rebuild, rebuild_outdated, roll_back
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import Connection, connect
from adapters.postgres.verify import table_hash, verify
from adapters.postgres.worker import run_forever
from aggregates.event import Meta
from aggregates.lead.privacy_events import PersonalDataErased
from commands.ports import NewEvents
from projections.catalogue import PROJECTIONS
from projections.reports.catalogue import REPORTS
from projections.reports.params import read as parameters
from projections.reports.report import Body, Report
from tests.checker import check
from tests.conformance.histories import Entry, append, history, interleaved
from tests.forked import Forked
from tests.seed import SEED
from tests.size import size

BEFORE, KILLS = 150, 3
# All views of one projection, in the opposite order of a swap's.
LEADS = """
WITH cycles AS (SELECT sum(n) FROM report.cycle_time WHERE dimension = 'all'),
     conversion AS (SELECT sum(leads + merged) FROM report.conversion WHERE dimension = 'all')
SELECT (TABLE cycles), (TABLE conversion), count(*), sum(version), max(position)
FROM report.leads
"""
COMPARED = ("report", "dimension", "rows", "total", "position")


def _lives(rng: Random, *, leads: int) -> list[list[Entry]]:
    """Histories of what `leads` folds alone: then the last position is the sum of all versions."""
    topics = set(PROJECTIONS["leads"].topics)
    lives = history(rng, leads=leads, captured_first=True)
    folded = [[entry for entry in life if entry.event.topic in topics] for life in lives]
    return [
        [entry._replace(version=n) for n, entry in enumerate(life, 1)] for life in folded if life
    ]


@pytest.mark.parametrize("number", range(size(1, 100)))
def test_rebuilds_under_load(number: int, dsn: str) -> None:
    print(f"SEED={SEED}")
    rng = Random(f"{SEED}-{number}")
    leads = _lives(rng, leads=BEFORE)
    append(dsn, interleaved(rng, leads))
    catch_up(dsn)
    rebuilt = rng.sample(sorted(PROJECTIONS), k=size(4, len(PROJECTIONS)))
    with _under_load(dsn, rng):
        for name in rebuilt:
            for _ in range(KILLS):
                _killed_rebuild(dsn, name, rng)
            with Forked(_rebuild_in_small_batches, dsn, name) as process:
                assert process.wait(60) == 0
            with connect(dsn) as conn:
                assert roll_back(conn, PROJECTIONS[name])
    catch_up(dsn)
    assert check(dsn) == []
    with connect(dsn) as conn:
        for name in rebuilt:
            _both_builds_are_the_fold(conn, name)


def test_a_reader_in_a_long_transaction_holds_nobody_up(dsn: str) -> None:
    """Neither other readers nor the projection; and it gets its own further answers."""
    catch_up(dsn)
    swapped = threading.Event()
    with (
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(dsn) as slow,
        psycopg.connect(dsn, autocommit=True) as quick,
    ):
        quick.execute("SET statement_timeout = '1s'")
        slow.execute("TABLE report.cycle_time")
        rebuilding = pool.submit(_rebuild_leads, dsn, swapped)
        end = time.monotonic() + 2.5  # who waits for whom is looked into after a second
        while time.monotonic() < end:
            quick.execute("TABLE report.cycle_time")
            quick.execute("SELECT FROM projection.builds WHERE name = 'leads' FOR UPDATE")
        slow.execute("TABLE report.leads")
        assert not swapped.is_set()
        slow.commit()
        rebuilding.result()
    assert check(dsn) == []


def test_only_its_own_version_rolls_a_build_back(dsn: str) -> None:
    """A newer program's fold does not fit an older one's tables."""
    catch_up(dsn)
    projection = PROJECTIONS["leads"]
    newer = replace(projection, version=projection.version + 1)
    with connect(dsn) as conn:
        rebuild_outdated(conn, newer)
        assert _live(conn).version == newer.version
        assert roll_back(conn, newer) is None
        assert roll_back(conn, projection) == _live(conn)
        assert _live(conn).version == projection.version


def _live(conn: Connection) -> Build:
    with conn.transaction():
        return live_builds(conn)["leads"]


def _rebuild_leads(dsn: str, swapped: threading.Event) -> None:
    with connect(dsn) as conn:
        rebuild(conn, PROJECTIONS["leads"])
    swapped.set()


def _killed_rebuild(dsn: str, name: str, rng: Random) -> None:
    """Begin a rebuild, or go on with the last one, and kill it within its life."""
    with Forked(_rebuild_in_small_batches, dsn, name):
        time.sleep(rng.random() * 0.2)


def _rebuild_in_small_batches(dsn: str, name: str) -> None:
    rebuilding.REBUILD_BATCH = 20
    with connect(dsn) as conn:
        rebuild(conn, PROJECTIONS[name])


def _both_builds_are_the_fold(conn: Connection, name: str) -> None:
    """The live build and the one kept for a rollback, brought to the same position."""
    hashes = set()
    for _ in range(2):
        assert all(v.equal for v in verify(conn, PROJECTIONS[name]))
        live = find(conn, name, "live")
        assert live
        hashes.add(table_hash(conn, name, live.schema))
        conn.commit()
        roll_back(conn, PROJECTIONS[name])
    assert len(hashes) == 1


@contextmanager
def _under_load(dsn: str, rng: Random) -> Iterator[None]:
    """Meanwhile leads are written, projections follow, and readers look at every answer."""
    stop = threading.Event()
    tasks: list[Callable[[], None]] = [
        lambda: asyncio.run(_write(dsn, rng.randrange(2**32), stop)),
        lambda: run_forever(dsn, stop),
        lambda: _read_views(dsn, stop),
        lambda: _read_reports(dsn, stop),
    ]
    with ThreadPoolExecutor(len(tasks)) as pool:
        running: list[Future[None]] = [pool.submit(task) for task in tasks]
        try:
            yield
        finally:
            stop.set()
    for task in running:
        task.result()


async def _write(dsn: str, seed: int, stop: threading.Event) -> None:
    log, rng = PostgresEventLog(dsn), Random(seed)
    while not stop.is_set():
        leads = [life for life in _lives(rng, leads=4) if not any(map(_is_erasure, life))]
        for entry in interleaved(rng, leads):
            await log.append(_new(entry))
            await asyncio.sleep(0.002)
    await log.close()


def _is_erasure(entry: Entry) -> bool:
    """After one there is nothing to roll back to: tests/crash/test_stale_builds.py."""
    return isinstance(entry.event, PersonalDataErased)


def _new(entry: Entry) -> NewEvents:
    meta = Meta("user:test", uuid4())
    return NewEvents(entry.stream, entry.version - 1, [entry.event], meta, b"")


def _read_views(dsn: str, stop: threading.Event) -> None:
    """SQL users: every statement sees one state, and never an older one than before."""
    before = 0
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET ROLE leadlog_analyst")
        while not stop.is_set():
            row = conn.execute(LEADS).fetchone()
            assert row
            _, counted, leads, versions, position = row
            assert counted == leads
            assert versions == position >= before
            before = position


def _read_reports(dsn: str, stop: threading.Event) -> None:
    """The service's reports: an answer is that of a fold of the log up to the position it names."""
    with connect(dsn) as conn:
        while not stop.is_set():
            for report in REPORTS.values():
                answer = _answer(conn, report)
                if len(report.projections) == 1:
                    again = _answer(conn, report, at_position=answer["position"])
                    assert [again[n] for n in COMPARED] == [answer[n] for n in COMPARED]


def _answer(conn: Connection, report: Report, **given: Any) -> Body:
    return reports.run(conn, report, parameters(report, given, "Asia/Shanghai"))
