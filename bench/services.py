"""The processes under load: the service itself, and the plain FastAPI baseline."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

LEADLOG = Path(sys.executable).with_name("leadlog")
PATIENCE = 60.0


@contextmanager
def baseline(dsn: str) -> Iterator[tuple[int, int]]:
    """A running baseline: its process number and port."""
    port = free_port()
    command = (
        sys.executable, "-m", "uvicorn", "bench.baseline_api:app", "--port", port,
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
    )  # fmt: skip
    with running(*command, env={"BASELINE_DSN": dsn}) as pid:
        wait_for(port, "/openapi.json")
        yield pid, port


@contextmanager
def leadlog(dsn: str, *options: str) -> Iterator[tuple[int, int]]:
    """A running service on a database: its process number and port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="leadlog-bench-") as data:
        command = (LEADLOG, "serve", "--database", dsn, "--port", port, *options)
        with running(*command, env={"LEADLOG_DATA_DIR": data}) as pid:
            wait_for(port, "/health/live")
            yield pid, port


@contextmanager
def running(*command: object, env: Mapping[str, str] | None = None) -> Iterator[int]:
    """A process, by its number; ended as a system ends it."""
    process = subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, **(env or {})},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE)


def administrator(dsn: str) -> dict[str, str]:
    """Headers of a new administrator's requests."""
    name = f"bench-{token_hex(4)}"
    run("users", "add", name, "--role", "admin", "--database", dsn)
    token = run("tokens", "create", "--user", name, "--name", name, "--database", dsn)
    return {"Authorization": f"Bearer {token.strip()}"}


def run(*arguments: object) -> str:
    """What `leadlog` prints when it is called with these."""
    command = [str(part) for part in (LEADLOG, *arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def wait_for(port: int, path: str) -> None:
    """Return when the service answers with 200."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.01)
    raise TimeoutError(f"nothing answers at {path}")


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
