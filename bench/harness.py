"""What the benchmarks share: a durable PostgreSQL of their own, interleaved rounds, one table."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import psutil

from adapters.embedded import Cluster
from adapters.postgres.migrate import ensure_database, migrate

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the result: what was measured, both sides' medians, the ratio and its target."""

    id: str
    what: str
    ours: str
    baseline: str
    ratio: float | None
    target: str
    met: bool | None
    note: str = ""

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


class Server:
    """A PostgreSQL with every safety on, in a directory on disk, and databases inside it."""

    def __init__(self, root: Path) -> None:
        self._data = root / "postgres" / "data"
        self.cluster = Cluster(root / "postgres").start()

    def database(self) -> str:
        """DSN of a fresh migrated database."""
        name = f"bench_{next(_numbers)}"
        ensure_database(self.cluster.dsn("postgres"), name)
        migrate(self.cluster.dsn(name))
        return self.cluster.dsn(name)

    def cpu_seconds(self) -> float:
        """User and system time of all processes the server ever had."""
        postmaster = int((self._data / "postmaster.pid").read_text().split(maxsplit=1)[0])
        return family_cpu_seconds(postmaster)


def family_cpu_seconds(pid: int) -> float:
    """User and system time of a process and of its children, the living and the dead."""
    head = psutil.Process(pid)
    dead = head.cpu_times()
    living = (cpu_seconds(member) for member in (head, *head.children(recursive=True)))
    return dead.children_user + dead.children_system + sum(living)


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time of one process, 0 when it is gone."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


@contextmanager
def server() -> Iterator[Server]:
    """A server for the time of a benchmark, removed afterwards."""
    with directory() as root:
        running = Server(root)
        try:
            yield running
        finally:
            running.cluster.stop()


@contextmanager
def directory() -> Iterator[Path]:
    """An empty directory on a disk (`BENCH_DIR`, else /var/tmp) that every user can enter."""
    where = os.environ.get("BENCH_DIR", "/var/tmp")
    with tempfile.TemporaryDirectory(prefix="leadlog-bench-", dir=where) as name:
        root = Path(name)
        root.chmod(0o755)
        yield root


def interleaved(rounds: int, **sides: Callable[[], float]) -> dict[str, float]:
    """Run the sides in turn, `rounds` times; the median of each."""
    results: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            results[name].append(run())
    return {name: statistics.median(values) for name, values in results.items()}


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes, wall clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
