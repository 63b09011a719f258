"""S12: how long until the service is ready, the first time and later, and what it takes when idle.

The embedded PostgreSQL is made and started by `leadlog serve` itself, as for a newcomer. Memory is
that of the service and its worker (shared pages counted in proportion), without PostgreSQL's.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench import services
from bench.harness import Figure, directory

IDLE_SECONDS = 3.0


def run(rounds: int) -> list[Figure]:
    """First start, later start, memory."""
    first: list[float] = []
    later: list[float] = []
    memory: list[float] = []
    for _ in range(rounds):
        with directory() as root:
            with _ready(root / "data", first):
                pass
            with _ready(root / "data", later) as pid:
                time.sleep(IDLE_SECONDS)
                memory.append(_megabytes(pid))
    return [
        _figure("first start until ready, initdb included", first, "s", 15),
        _figure("later start until ready", later, "s", 3),
        _figure("memory when idle, service and worker", memory, "MB", 300),
    ]


@contextmanager
def _ready(data: Path, took: list[float]) -> Iterator[int]:
    """A service that has become ready; how long that took goes into `took`."""
    port, started = services.free_port(), time.perf_counter()
    env = {"LEADLOG_DATA_DIR": str(data), "LEADLOG_DATABASE": ""}
    with services.running(services.LEADLOG, "serve", "--port", port, env=env) as pid:
        services.wait_for(port, "/health/ready")
        took.append(time.perf_counter() - started)
        yield pid


def _megabytes(pid: int) -> float:
    service = psutil.Process(pid)
    family = [service, *service.children(recursive=True)]
    return sum(_proportional(process) for process in family if process.name() != "postgres") / 2**20


def _proportional(process: psutil.Process) -> int:
    """Bytes; where the system does not tell the share of shared pages, they count whole."""
    try:
        return int(process.memory_full_info().pss)
    except (psutil.AccessDenied, AttributeError):
        return int(process.memory_info().rss)


def _figure(what: str, values: list[float], unit: str, limit: float) -> Figure:
    median = statistics.median(values)
    shown = f"{median:.1f} {unit}"
    return Figure("S12", what, shown, "-", None, f"<= {limit} {unit}", median <= limit)
