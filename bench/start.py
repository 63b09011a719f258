"""S12: from the command to a ready service, first and later, and what it weighs when idle."""

import statistics
import tempfile
import time
from pathlib import Path

import psutil

from bench.harness import Figure, Server
from bench.services import LEADLOG, free_port, running, wait_for

SETTLE_SECONDS = 3.0
MEGABYTE = 2**20


def run(_: Server, rounds: int) -> list[Figure]:
    firsts, laters, weights = [], [], []
    for _round in range(rounds):
        with tempfile.TemporaryDirectory(prefix="leadlog-start-", dir="/var/tmp") as directory:
            Path(directory).chmod(0o755)
            first, _unused = _start(Path(directory) / "data")
            later, weight = _start(Path(directory) / "data")
            firsts.append(first)
            laters.append(later)
            weights.append(weight)
    first, later, weight = map(statistics.median, (firsts, laters, weights))
    return [
        Figure("S12", "serve ready, first start with initdb", f"{first:.1f} s", "", None,
               "<= 15 s", first <= 15),
        Figure("S12", "serve ready, later start", f"{later:.1f} s", "", None,
               "<= 3 s", later <= 3),
        Figure("S12", "resident memory, service + worker, idle (shared pages counted once)",
               f"{weight:.0f} MB", "", None, "<= 300 MB", weight <= 300),
    ]  # fmt: skip


def _start(data: Path) -> tuple[float, float]:
    """Seconds until /health/ready, and megabytes of the service and its worker once idle."""
    port, started = free_port(), time.perf_counter()
    env = {"LEADLOG_DATA_DIR": str(data)}
    with running(LEADLOG, "serve", "--port", port, env=env) as pid:
        wait_for(port, "/health/ready")
        ready = time.perf_counter() - started
        time.sleep(SETTLE_SECONDS)
        service = psutil.Process(pid)
        family = [service, *service.children(recursive=True)]
        ours = [p for p in family if "python" in p.name() or "leadlog" in p.name()]
        return ready, sum(p.memory_full_info().pss for p in ours) / MEGABYTE
