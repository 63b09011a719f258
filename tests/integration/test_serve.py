"""`leadlog serve` as a process of its own: its start, its end, and the worker beside it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

T = TypeVar("T")

PATIENCE = 60.0


class Serving:
    """A running service: its process, what it printed, its address."""

    def __init__(self, dsn: str, data_dir: Path, *options: str, **environment: str) -> None:
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            command("serve", "--port", "0", "--database", dsn, *options),
            env=env(data_dir, **environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.printed: list[str] = []
        self.url = until(self._address)

    @property
    def token(self) -> str:
        return (self.data_dir / "admin-token").read_text().strip()

    def worker(self) -> psutil.Process | None:
        """The worker's process, while there is one."""
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # killed, and not yet buried by its parent
                if "worker" in child.cmdline():
                    return child
        return None

    def call(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request by the administrator."""
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            found: dict[str, Any] = json.load(answer)
            return found | {"at": answer.headers["Leadlog-Position"]}

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def _address(self) -> str | None:
        assert self.process.stdout
        self.printed.append(self.process.stdout.readline())
        assert self.process.poll() is None, self.process.communicate()
        found = re.fullmatch(r"leadlog serves (http://127\.0\.0\.1:\d+)\n", self.printed[-1])
        return found[1] if found else None


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "adapters.cli", *arguments]


def env(data_dir: Path, **more: str) -> dict[str, str]:
    unsafe = {"LEADLOG_DATA_DIR": str(data_dir), "LEADLOG_ALLOW_UNSAFE_POSTGRES": "true"}
    return os.environ | unsafe | more


def until(seen: Callable[[], T | None]) -> T:
    """What is there once it is there."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if (found := seen()) is not None:
            return found
        time.sleep(0.02)
    raise TimeoutError


@contextmanager
def serving(*arguments: Any, **environment: str) -> Iterator[Serving]:
    service = Serving(*arguments, **environment)
    worker = service.worker
    try:
        yield service
    finally:
        with suppress(psutil.NoSuchProcess):
            if left := worker():
                left.kill()
        service.process.kill()
        service.process.communicate()


def test_the_first_start_makes_an_administrator_and_the_next_does_not(
    dsn: str, tmp_path: Path
) -> None:
    with serving(dsn, tmp_path / "data") as service:
        token = service.token
        assert any(token in line for line in service.printed)
        assert (service.data_dir / "admin-token").stat().st_mode & 0o777 == 0o600
        lead = service.call("/v1/leads", {"customer": "A科技有限公司"})
        assert service.stop() == 0
    with serving(dsn, tmp_path / "data") as service:
        assert not any("token" in line for line in service.printed)
        assert service.call(f"/v1/leads/{lead['id']}")["code"] == lead["code"]


def test_a_killed_worker_comes_back_and_catches_up(dsn: str, tmp_path: Path) -> None:
    with serving(dsn, tmp_path) as service:
        first = until(service.worker)
        first.send_signal(signal.SIGKILL)
        position = service.call("/v1/leads", {"customer": "A科技有限公司"})["at"]
        first.wait(PATIENCE)
        second = until(service.worker)
        items = until(lambda: _list(service, position))
        assert len(items) == 1
        assert service.stop() == 0
        assert not second.is_running(), "the worker stops with the service"


def _list(service: Serving, position: str) -> list[Any] | None:
    """The leads at a position, once the read models are there."""
    with suppress(urllib.error.HTTPError):
        items: list[Any] = service.call(f"/v1/leads?min_position={position}")["items"]
        return items
    return None


def test_a_worker_ends_when_its_service_is_killed(dsn: str, tmp_path: Path) -> None:
    with serving(dsn, tmp_path) as service:
        worker = until(service.worker)
        service.process.kill()
        worker.wait(PATIENCE)


def test_without_a_worker_there_is_none(dsn: str, tmp_path: Path) -> None:
    with serving(dsn, tmp_path, "--no-worker") as service:
        service.call("/health/live")
        time.sleep(1.0)
        assert service.worker() is None


def test_a_start_that_does_not_fit_the_data_ends_in_one_line(dsn: str, tmp_path: Path) -> None:
    with serving(dsn, tmp_path, "--no-worker") as service:
        port = service.url.rpartition(":")[2]
        for options, environment, reason in (
            (["--port", "0"], {"LEADLOG_TIMEZONE": "Europe/Paris"}, "timezone is Asia/Shanghai"),
            (["--port", "0"], {"LEADLOG_CURRENCY": "EUR"}, "currency is CNY"),
            (["--port", "0"], {"LEADLOG_TIMEZONE": "Atlantis"}, "unknown time zone"),
            (["--port", "0"], {"LEADLOG_PAGE_LIMIT": "none"}, "LEADLOG_PAGE_LIMIT"),
            (["--port", port], {}, "cannot listen on"),
        ):
            ended = subprocess.run(
                command("serve", "--database", dsn, *options),
                env=env(tmp_path, **environment),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            assert ended.returncode == 1, (reason, ended)
            assert reason in ended.stderr
            assert len(ended.stderr.splitlines()) == 1, ended.stderr
            assert ended.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_under_way_is_finished_before_the_end(
    dsn: str, tmp_path: Path, number: signal.Signals
) -> None:
    with serving(dsn, tmp_path) as service:
        waiting = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys, urllib.request as client\n"
                "request = client.Request(sys.argv[1], headers={'Authorization': sys.argv[2]})\n"
                "try: client.urlopen(request)\n"
                "except OSError as error: print(error.code)",
                f"{service.url}/v1/leads?min_position=999999",
                f"Bearer {service.token}",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        time.sleep(0.7)  # it waits two seconds for a position that nobody reaches
        service.process.send_signal(number)
        assert waiting.communicate(timeout=PATIENCE)[0] == "503\n"
        assert service.process.wait(PATIENCE) in (0, 130)
