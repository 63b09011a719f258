"""`leadlog serve` ends in order: what is under way is answered, what was answered is in the log."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from uuid import uuid4

import httpx
import psycopg

from tests.integration.test_serve import PATIENCE, Serving, serving

CLIENTS = 8
RECORDED = (
    "SELECT count(DISTINCT originator_id) FROM log.leadlog_events WHERE topic = 'lead.captured'"
)


class Captures:
    """Clients that capture leads until nobody listens."""

    def __init__(self, service: Serving) -> None:
        self._service = service
        self.acknowledged = 0
        self.statuses: set[int] = set()
        self.ready: list[int] = []

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        headers = {"Authorization": f"Bearer {self._service.token}"}
        async with httpx.AsyncClient(
            base_url=self._service.url, headers=headers, timeout=PATIENCE
        ) as http:
            await asyncio.gather(self._watch(http), *(self._client(http) for _ in range(CLIENTS)))

    async def _client(self, http: httpx.AsyncClient) -> None:
        with suppress(httpx.TransportError):  # there is nobody any more
            while True:
                answer = await http.post("/v1/leads", json={"customer": f"customer {uuid4()}"})
                self.statuses.add(answer.status_code)
                self.acknowledged += answer.is_success

    async def _watch(self, http: httpx.AsyncClient) -> None:
        with suppress(httpx.TransportError):
            while True:
                self.ready.append((await http.get("/health/ready")).status_code)
                await asyncio.sleep(0.05)


@contextmanager
def under_load(service: Serving) -> Iterator[Captures]:
    """Clients at work, until they find nobody."""
    load = Captures(service)
    thread = Thread(target=load.run)
    thread.start()
    end = time.monotonic() + PATIENCE
    while load.acknowledged < 50:
        assert time.monotonic() < end, load.statuses
        time.sleep(0.01)
    yield load
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_the_end_under_load_loses_no_answer(dsn: str, tmp_path: Path) -> None:
    """Every command that is in the log was acknowledged, and the other way round."""
    with serving(dsn, tmp_path, LEADLOG_UNREADY_SECONDS="2") as service:
        with under_load(service) as load:
            before, begun = load.acknowledged, time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(PATIENCE) == 0
            assert 2 < time.monotonic() - begun < 40
        assert service.process.stderr
        assert "Traceback" not in service.process.stderr.read()
    assert load.statuses == {201}
    assert load.acknowledged > before, "it went on while it was not ready"
    assert 503 in load.ready, "it says so before it listens no more"
    with psycopg.connect(dsn) as conn:
        assert conn.execute(RECORDED).fetchone() == (load.acknowledged,)


def test_a_second_signal_ends_it_at_once(dsn: str, tmp_path: Path) -> None:
    with serving(dsn, tmp_path, LEADLOG_UNREADY_SECONDS="300") as service:
        while (worker := service.worker()) is None:
            time.sleep(0.05)
        for number in (signal.SIGTERM, signal.SIGINT):
            assert service.process.poll() is None
            service.process.send_signal(number)
            time.sleep(0.5)
        begun = time.monotonic()
        assert service.process.wait(PATIENCE) == 1
        worker.wait(PATIENCE)
        assert time.monotonic() - begun < 10
