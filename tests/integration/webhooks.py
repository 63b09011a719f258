"""A company that tells other systems: its receivers, its worker, what arrived."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from adapters.background import work
from adapters.settings import Settings

PATIENCE = 60.0
LOCAL: Mapping[str, Any] = {
    "webhook_allowed": ("127.0.0.0/8",),
    "webhook_http": True,
    "webhook_pause_seconds": 0.1,
    "webhook_seconds": 1.0,
}
"""Receivers of this machine, and impatience."""


class Got(NamedTuple):
    """One request as it came."""

    headers: dict[str, str]
    body: str

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver:
    """A receiver in a process of its own."""

    def __init__(self, directory: Path, how: str) -> None:
        self._file = directory / f"{how.split(':', maxsplit=1)[0]}-{time.monotonic_ns()}"
        module = "tests.integration.webhook_receiver"
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, "0", how, str(self._file)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/leadlog"

    @property
    def got(self) -> list[Got]:
        """All that came."""
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [Got(**json.loads(line)) for line in lines]

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def receivers(directory: Path, *how: str) -> Iterator[list[Receiver]]:
    """One receiver for each way of answering."""
    opened = [Receiver(directory, one) for one in how]
    try:
        yield opened
    finally:
        for one in opened:
            one.close()


@contextmanager
def delivering(dsn: str, **given: Any) -> Iterator[None]:
    """The worker's duty, in this process."""
    settings = Settings(allow_unsafe_postgres=True, **{**LOCAL, **given})
    stop = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(work, dsn, settings, ["webhooks"], stop)
        try:
            yield
        finally:
            stop.set()
            running.result()


def until(seen: Callable[[], bool]) -> None:
    """Wait until it is so."""
    end = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
