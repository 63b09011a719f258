"""kill -9 of API, worker and PostgreSQL under load: nothing lost, nothing doubled (T3, P1-P4)."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random

import httpx
import psycopg

from tests.checker import check
from tests.crash.load import Load
from tests.crash.service import RunningService
from tests.seed import SEED
from tests.size import size

POSTGRES_KILLS, API_KILLS, WORKER_KILLS = size(3, 200), size(4, 500), size(5, 500)
PATIENCE = 60.0
AT_ONCE = 0.2
"""How often the next kill comes before the service has recovered from the last one."""
LAG = (
    "SELECT (SELECT max(notification_id) FROM log.leadlog_events)"
    " - (SELECT min(position) FROM projection.builds WHERE state = 'live')"
)


def test_nothing_is_lost_or_doubled(open_tmp: Path, free_port: int) -> None:
    print(f"SEED={SEED}")
    rng = Random(SEED)
    with (
        RunningService(open_tmp / "data", free_port) as service,
        ThreadPoolExecutor(1) as pool,
    ):
        _await_ready(service)
        load = Load(service.url, service.token, Random(rng.random()))
        running = pool.submit(load.run)
        try:
            _kill_at_random(service, load, running, rng)
        finally:
            load.stopping = True
        running.result(PATIENCE * 2)
        _await_readers(service.dsn)
        assert check(service.dsn, load.answers, load.refused) == []
        print(f"{len(load.answers)} answers, {len(load.refused)} refusals")
        assert service.stop() == 0
        assert "Traceback" not in service.log


def _kill_at_random(
    service: RunningService, load: Load, running: Future[None], rng: Random
) -> None:
    kills = (
        [service.kill_postgres] * POSTGRES_KILLS
        + [service.kill_api] * API_KILLS
        + [service.kill_worker] * WORKER_KILLS
    )
    rng.shuffle(kills)
    for kill in kills:
        before, end = len(load.answers), time.monotonic() + PATIENCE
        if rng.random() > AT_ONCE:
            while len(load.answers) < before + 50:
                assert time.monotonic() < end, f"the service is not back:\n{service.log[-3000:]}"
                assert not running.done(), running.result()
                time.sleep(0.01)
            time.sleep(rng.random() / 2)
        kill()


def _await_ready(service: RunningService) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if httpx.get(f"{service.url}/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < end, service.log
        time.sleep(0.05)


def _await_readers(dsn: str) -> None:
    """The worker is there and brings the read tables to the log's end."""
    end = time.monotonic() + PATIENCE
    with psycopg.connect(dsn, autocommit=True) as conn:
        while conn.execute(LAG).fetchone() != (0,):
            assert time.monotonic() < end, "the read tables do not follow"
            time.sleep(0.05)
