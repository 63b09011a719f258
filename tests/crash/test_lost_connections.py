"""Every connection of API and worker is cut under load, again and again: nobody starts them anew.

Answers are what they should be, or 503 and the client asks again; then everything catches up.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import httpx
import psycopg

from adapters.embedded import Cluster
from tests.checker import check
from tests.crash.load import Load
from tests.integration.test_api_errors import end_sessions
from tests.integration.test_serve import PATIENCE, serving
from tests.seed import SEED
from tests.size import size

CUTS = size(5, 300)


def test_cut_connections_come_back(cluster: Cluster, dsn: str, tmp_path: Path) -> None:
    print(f"SEED={SEED}")
    rng = Random(SEED)
    with serving(dsn, tmp_path / "data") as service, ThreadPoolExecutor(1) as pool:
        _await_ready(service.url)
        worker = service.worker()
        assert worker
        load = Load(service.url, service.token, Random(rng.random()))
        running = pool.submit(load.run)
        try:
            for _ in range(CUTS):
                before, end = len(load.answers), time.monotonic() + PATIENCE
                while len(load.answers) < before + 10:
                    assert time.monotonic() < end, "no answers any more"
                    assert not running.done(), running.result()
                    time.sleep(rng.random() / 20)
                end_sessions(cluster, dsn)
        finally:
            load.stopping = True
        running.result(PATIENCE)
        _await_ready(service.url)
        assert service.worker() == worker, "the same process is still at work"
        _await_lag(dsn)
        assert check(dsn, load.answers, load.refused) == []
        assert service.stop() == 0


def _await_ready(url: str) -> None:
    """Nothing is wrong: somebody has every lease."""
    end = time.monotonic() + PATIENCE
    while (found := httpx.get(f"{url}/health/ready", timeout=PATIENCE).json())["problems"]:
        assert time.monotonic() < end, found
        time.sleep(0.05)


def _await_lag(dsn: str) -> None:
    end = time.monotonic() + PATIENCE
    with psycopg.connect(dsn, autocommit=True) as conn:
        while conn.execute(
            "SELECT (SELECT max(notification_id) FROM log.leadlog_events)"
            " - (SELECT min(position) FROM projection.builds WHERE state = 'live')"
        ).fetchone() != (0,):
            assert time.monotonic() < end, "the read models do not follow"
            time.sleep(0.05)
