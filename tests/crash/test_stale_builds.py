"""Builds that nobody advances keep nothing of an erased lead, and dropping them holds nobody up."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres import rebuild as rebuilding
from adapters.postgres.builds import drop_stale, ensure_building
from adapters.postgres.parking import retry
from adapters.postgres.privacy_queries import erasures
from adapters.postgres.rebuild import rebuild
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.postgres.worker import run_forever
from aggregates.lead.events import FollowUpRecorded, LeadCaptured
from projections.catalogue import PROJECTIONS
from tests.checker import check
from tests.conformance.forgetting import NOW, Canary, erasure, found
from tests.conformance.histories import Entry, append
from tests.forked import Forked
from tests.size import size

PATIENCE = 30.0
BY_STREAM, FACTS = "leads", "follow_ups"
BUILDS = "SELECT state, generation FROM projection.builds WHERE name = %s ORDER BY generation"
WAITS = (
    "SELECT FROM projection.builds WHERE name = %s AND state = 'building'"
    " AND position = (SELECT max(notification_id) FROM log.leadlog_events)"
)
ROWS_READ = (
    "SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_user_tables"
    " WHERE schemaname = 'p_follow_ups_2'"
)
LEADS, BATCH = size(60, 2_000), 20


@pytest.mark.parametrize("name", [BY_STREAM, FACTS])
def test_what_a_killed_rebuild_has_made_goes_with_the_next_erasure(name: str, dsn: str) -> None:
    canary, own = _known(dsn)
    with _reader(dsn, f"report.{name}"), _rebuild_that_waits(dsn, name) as process:
        process.kill()
    assert _builds(dsn, name) == [("live", 1), ("building", 2)]
    append(dsn, [erasure(own)])

    def is_dropped() -> bool:
        catch_up(dsn)
        return _builds(dsn, name) == [("live", 1)]

    _until(is_dropped)
    assert found(dsn, [canary]) == set()
    assert all(_reflected(dsn).values())


@pytest.mark.parametrize("name", [BY_STREAM, FACTS])
def test_a_rebuild_at_work_is_not_taken_for_one_that_was_killed(name: str, dsn: str) -> None:
    canary, own = _known(dsn)
    with _reader(dsn, f"report.{name}") as reader, _rebuild_that_waits(dsn, name) as process:
        append(dsn, [erasure(own)])
        catch_up(dsn)
        assert _builds(dsn, name) == [("live", 1), ("building", 2)]
        assert not _reflected(dsn)[name], "the new build is behind the erasure"
        reader.commit()
        assert process.wait(PATIENCE) == 0
    assert ("live", 2) in _builds(dsn, name)
    catch_up(dsn)
    assert found(dsn, [canary]) == set()
    assert all(_reflected(dsn).values())
    assert check(dsn) == []


def test_a_reader_of_an_old_build_holds_no_read_model_up(dsn: str) -> None:
    """Such as a dump of the database. What it reads is dropped when it is through."""
    canary, own = _known(dsn)
    with connect(dsn) as conn:
        rebuild(conn, PROJECTIONS[BY_STREAM])
    with _reader(dsn, "p_leads_1.leads") as reader, ThreadPoolExecutor(1) as pool:
        append(dsn, [erasure(own)])
        try:
            pool.submit(catch_up, dsn).result(PATIENCE)
        finally:
            late = _reflected(dsn)
            reader.commit()
        assert [name for name, done in late.items() if not done] == [BY_STREAM]
        stop = threading.Event()
        worker = pool.submit(run_forever, dsn, stop)
        try:
            _until(lambda: _builds(dsn, BY_STREAM) == [("live", 2)])
        finally:
            stop.set()
        worker.result()
    assert found(dsn, [canary]) == set()
    assert all(_reflected(dsn).values())


def test_a_build_that_a_later_one_replaced_is_dropped(dsn: str) -> None:
    """Another version of the program had begun it."""
    catch_up(dsn)
    projection = PROJECTIONS[BY_STREAM]
    with connect(dsn) as conn:
        for version in (1, 2):
            ensure_building(conn, replace(projection, version=projection.version + version))
        drop_stale(conn, [BY_STREAM])
    assert _builds(dsn, BY_STREAM) == [("live", 1), ("building", 3)]
    with psycopg.connect(dsn) as conn:
        assert conn.execute("SELECT to_regnamespace('p_leads_2')").fetchone() == (None,)


def test_an_erasure_that_a_read_model_cannot_fold_is_not_reflected_there(dsn: str) -> None:
    canary, own = _known(dsn)
    append(dsn, [erasure(own)])
    refused = "ADD CONSTRAINT no_erasure CHECK (erased_at IS NULL)"
    with psycopg.connect(dsn) as conn:
        conn.execute(f"ALTER TABLE p_leads_1.leads {refused}")
    catch_up(dsn)
    assert [name for name, done in _reflected(dsn).items() if not done] == [BY_STREAM]
    assert found(dsn, [canary]) == {canary.word}
    with psycopg.connect(dsn) as conn:
        conn.execute("ALTER TABLE p_leads_1.leads DROP CONSTRAINT no_erasure")
    with connect(dsn) as conn:
        assert retry(conn, PROJECTIONS[BY_STREAM]) == (1, 0)
    assert all(_reflected(dsn).values())
    assert found(dsn, [canary]) == set()


def test_a_rebuild_does_not_read_its_table_for_every_erasure(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take four times as long with twice as many."""
    for _ in range(LEADS):
        _known(dsn, fold=False, erased=True)
    catch_up(dsn)
    monkeypatch.setattr(rebuilding, "REBUILD_BATCH", BATCH)
    with connect(dsn) as conn:
        rebuild(conn, PROJECTIONS[FACTS])
    with psycopg.connect(dsn) as conn:
        read, found_by_index = conn.execute(ROWS_READ).fetchone() or (0, 0)
    assert found_by_index >= LEADS
    assert read + found_by_index <= 4 * LEADS, "each index is made by reading the table once"


def _known(dsn: str, *, fold: bool = True, erased: bool = False) -> tuple[Canary, list[Entry]]:
    """A lead that was followed up, in the log and in every read model."""
    canary, lead = Canary(1), uuid4()
    events = (
        LeadCaptured(occurred_at=NOW, code="XLSH1", details={"source": "展会"}),
        FollowUpRecorded(occurred_at=NOW, code="GJ1", connected=True, content="谈", feedback="好"),
    )
    own = [canary.put_in(Entry(lead, n, event)) for n, event in enumerate(events, 1)]
    append(dsn, [*own, erasure(own)] if erased else own)
    if fold:
        catch_up(dsn)
        assert found(dsn, [canary]) == {canary.word}
    return canary, own


@contextmanager
def _reader(dsn: str, table: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Somebody in the middle of a long read."""
    with psycopg.connect(dsn) as conn:
        conn.execute(f"TABLE {table}")
        yield conn


@contextmanager
def _rebuild_that_waits(dsn: str, name: str) -> Iterator[Forked]:
    """A rebuild that has made everything, and does not get to swap because of a reader."""
    with Forked(_rebuild, dsn, name) as process:
        with psycopg.connect(dsn, autocommit=True) as conn:
            _until(lambda: conn.execute(WAITS, (name,)).fetchone() is not None)
        yield process


def _rebuild(dsn: str, name: str) -> None:
    with connect(dsn) as conn:
        rebuild(conn, PROJECTIONS[name])


def _builds(dsn: str, name: str) -> list[tuple[str, int]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(BUILDS, (name,)).fetchall()


def _reflected(dsn: str) -> dict[str, bool]:
    with connect(dsn) as conn:
        _, (certificate, *_) = erasures(conn)
        reflected: dict[str, bool] = certificate["reflected"]
        return reflected


def _until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.05)
