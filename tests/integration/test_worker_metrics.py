"""A worker serves what it has done on a port of its own."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx

from tests.conformance.histories import append_bytes
from tests.integration.test_serve import PATIENCE, command, env


@contextmanager
def working(dsn: str, data_dir: Path, port: str = "0") -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command("worker", "--database", dsn),
        env=env(data_dir, LEADLOG_WORKER_METRICS=port),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def address(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    line = process.stdout.readline()
    found = re.fullmatch(r"leadlog worker serves (http://127\.0\.0\.1:\d+/metrics)\n", line)
    assert found, process.communicate()
    return found[1]


def test_a_worker_tells_what_it_has_done(dsn: str, tmp_path: Path) -> None:
    append_bytes(dsn, uuid4(), 1, "lead.captured", b'{"code": "X", "details": {}}')
    with working(dsn, tmp_path) as process:
        url, end = address(process), time.monotonic() + PATIENCE
        folded = 'leadlog_projection_events_total{projection="leads"} 1.0'
        while folded not in (text := httpx.get(url).text):
            assert time.monotonic() < end, text
            time.sleep(0.05)
        assert 'leadlog_projection_batch_seconds_count{projection="leads"} ' in text
        assert "process_cpu_seconds_total" in text
        assert "leadlog_database_up" not in text, "that is the API's to tell"
        with working(dsn, tmp_path, url.split(":")[2].split("/")[0]) as second:
            _, errors = second.communicate(timeout=PATIENCE)
            assert second.returncode == 1
            assert "cannot serve metrics" in errors
            assert len(errors.splitlines()) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
