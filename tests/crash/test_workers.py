"""Workers: hints may be lost, holders of leases killed, two at once: each event is folded once."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from random import Random

import psycopg

from adapters.postgres.builds import ensure_live
from adapters.postgres.runner import advance, catch_up
from adapters.postgres.tables import connect
from adapters.postgres.worker import run_forever
from projections.catalogue import PROJECTIONS
from tests.checker import check
from tests.conformance.histories import Entry, append, history, interleaved
from tests.integration.assigning import worker_process
from tests.seed import SEED
from tests.size import size

PATIENCE = 20.0
LAG = (
    "SELECT coalesce(max(notification_id), 0) - (SELECT coalesce(min(position), -1)"
    " FROM projection.builds WHERE state = 'live') FROM log.leadlog_events"
)
CUT_LISTENERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
)
# Which process holds a projection's lease.
HOLDER = (
    "SELECT a.client_port FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE locktype = 'advisory' AND classid = 7220503 AND a.datname = current_database()"
)


def test_a_cut_listener_listens_again(dsn: str) -> None:
    rng = _rng()
    with _worker_thread(dsn), psycopg.connect(dsn, autocommit=True) as conn:
        for _ in range(4):
            append(dsn, _some(rng))
            _until(lambda: conn.execute(LAG).fetchone() == (0,))
            _until(lambda: bool(conn.execute(CUT_LISTENERS).fetchall()))
        append(dsn, _some(rng))
        _until(lambda: conn.execute(LAG).fetchone() == (0,))
    assert check(dsn) == []


def test_without_any_hint_the_log_is_polled(dsn: str) -> None:
    catch_up(dsn)
    with _worker_thread(dsn), psycopg.connect(dsn, autocommit=True) as conn:
        time.sleep(0.2)  # the worker is waiting for a hint by now
        conn.execute(
            "INSERT INTO log.leadlog_events VALUES (gen_random_uuid(), 1, 'lead.reopened',"
            " '{}', 1, clock_timestamp())"
        )
        _until(lambda: conn.execute(LAG).fetchone() == (0,))
    assert check(dsn) == []


def test_a_worker_waits_for_a_missing_right(dsn: str) -> None:
    catch_up(dsn)
    with _worker_thread(dsn), psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET ROLE leadlog_projector")
        conn.execute("REVOKE INSERT ON p_leads_1.leads FROM leadlog_projector")
        append(dsn, _some(_rng()))
        time.sleep(0.5)
        assert conn.execute(LAG).fetchone() != (0,)
        conn.execute("GRANT INSERT ON p_leads_1.leads TO leadlog_projector")
        conn.execute("RESET ROLE")
        _until(lambda: conn.execute(LAG).fetchone() == (0,))
    assert check(dsn) == []


def test_leases_move_when_a_worker_is_killed(dsn: str) -> None:
    rng = _rng()
    with ExitStack() as stack, psycopg.connect(dsn, autocommit=True) as conn:
        workers = [stack.enter_context(worker_process(dsn))]
        for _ in range(size(2, 40)):
            workers.append(stack.enter_context(worker_process(dsn)))
            append(dsn, _some(rng))
            time.sleep(rng.uniform(0, 0.7))
            workers.pop(rng.randrange(2)).kill()
            append(dsn, _some(rng))
            _until(lambda: conn.execute(LAG).fetchone() == (0,))
            assert len({port for (port,) in conn.execute(HOLDER)}) == 1
    assert check(dsn) == []


def test_two_at_the_same_batch_fold_it_once(dsn: str) -> None:
    append(dsn, _some(_rng()))
    with connect(dsn) as conn:
        for projection in PROJECTIONS.values():
            ensure_live(conn, projection)
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(_fold_one_by_one, dsn) for _ in range(4)]:
            done.result()
    assert check(dsn) == []


def _fold_one_by_one(dsn: str) -> None:
    with connect(dsn) as conn:
        for projection in PROJECTIONS.values():
            build = ensure_live(conn, projection)
            while not advance(conn, projection, build, limit=1).done:
                pass


def _some(rng: Random) -> list[Entry]:
    return interleaved(rng, history(rng, leads=15))


@contextmanager
def _worker_thread(dsn: str) -> Iterator[None]:
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_forever, dsn, stop)
        try:
            yield
        finally:
            stop.set()
    running.result()


def _until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end, "this takes too long"
        time.sleep(0.02)


def _rng() -> Random:
    print(f"SEED={SEED}")
    return Random(SEED)
