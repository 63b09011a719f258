"""S1: what one accepted command costs over HTTP, against a plain FastAPI endpoint.

Both services stand on the same PostgreSQL and take turns under the same client. CPU is that of
the service's processes and of all of PostgreSQL; the client's does not count.
"""

import asyncio
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg

from adapters.postgres.event_log import PostgresEventLog
from aggregates.event import Meta
from aggregates.lead.events import LeadCaptured
from bench import services
from bench.harness import Figure, Server, family_cpu_seconds
from bench.load import Load, put_on
from commands.ports import NewEvents

LEADS = 1_000
SECONDS = 5.0
WARM_UP = 2.0
RECORDED = "SELECT count(*) FROM log.ledger WHERE effect"


@dataclass(frozen=True)
class Round:
    """Of one round: CPU in microseconds per command, latencies in milliseconds."""

    cpu: float
    p50: float
    p99: float


class _Side:
    """A service with its load."""

    def __init__(self, server: Server, pid: int, load: Load, count: Callable[[], int]) -> None:
        self._server, self._pid, self._load, self._count = server, pid, load, count
        self.rounds: list[Round] = []

    def run(self, seconds: float) -> Round:
        before, counted = self._cpu(), self._count()
        result = put_on(replace(self._load, seconds=seconds))
        used = self._cpu() - before
        assert self._count() - counted == result.commands, "not every command was recorded"
        self._load = replace(self._load, first=self._load.first + result.commands)
        return Round(used / result.commands * 1e6, result.p50, result.p99)

    def median(self, name: str) -> float:
        values: list[float] = [getattr(one, name) for one in self.rounds]
        return statistics.median(values)

    def _cpu(self) -> float:
        return family_cpu_seconds(self._pid) + self._server.cpu_seconds()


def run(server: Server, rounds: int) -> list[Figure]:
    """CPU and p99, each against the baseline's."""
    with ExitStack() as stack:
        sides = [_ours(stack, server), _baseline(stack, server)]
        for side in sides:
            side.run(WARM_UP)
        for _ in range(rounds):
            for side in sides:
                side.rounds.append(side.run(SECONDS))
    ours, base = sides
    cpu = ours.median("cpu") / base.median("cpu")
    p99 = ours.median("p99") / base.median("p99")
    return [
        Figure(
            "S1", "CPU of a command over HTTP, 32 connections / FastAPI with one INSERT",
            f"{ours.median('cpu'):,.0f} us", f"{base.median('cpu'):,.0f} us",
            cpu, "<= 0.6 x", cpu <= 0.6,
        ),
        Figure(
            "S1", f"its p99 latency (p50 {ours.median('p50'):.1f} / {base.median('p50'):.1f} ms)",
            f"{ours.median('p99'):.1f} ms", f"{base.median('p99'):.1f} ms",
            p99, "<= 1 x", p99 <= 1,
        ),
    ]  # fmt: skip


def _ours(stack: ExitStack, server: Server) -> _Side:
    dsn = server.database()
    leads = asyncio.run(capture(dsn, LEADS))
    pid, port = stack.enter_context(services.leadlog(dsn, "--no-worker"))
    load = Load(port, "/v1/leads/{lead}:advance", leads, services.administrator(dsn))
    return _Side(server, pid, load, _counter(dsn, RECORDED))


def _baseline(stack: ExitStack, server: Server) -> _Side:
    dsn = server.database()
    pid, port = stack.enter_context(services.baseline(dsn))
    load = Load(port, "/leads/{lead}/advance", [str(uuid4()) for _ in range(LEADS)], {})
    return _Side(server, pid, load, _counter(dsn, "SELECT count(*) FROM stage_changes"))


def _counter(dsn: str, query: str) -> Callable[[], int]:
    def count() -> int:
        with psycopg.connect(dsn) as conn:
            row = conn.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    return count


async def capture(dsn: str, amount: int) -> list[str]:
    """Ids of so many new leads."""
    log = PostgresEventLog(dsn)
    leads = [uuid4() for _ in range(amount)]
    await asyncio.gather(*(log.append(_captured(lead, n)) for n, lead in enumerate(leads)))
    await log.close()
    return [str(lead) for lead in leads]


def _captured(lead: UUID, n: int) -> NewEvents:
    details = {"customer": f"某{n}科技有限公司", "source": "官网注册", "industry": "信息技术"}
    event = LeadCaptured(occurred_at=datetime.now(UTC), code=f"XS{n:06}", details=details)
    return NewEvents(lead, 0, [event], Meta("process:bench", uuid4()), b"bench")
