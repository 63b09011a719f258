"""S10: what clocks cost that run for many leads, against those of 10,000, in real time.

Beside all of them 10,000 first follow-ups become due within one minute. The worker records each: a
lead is read, decided upon and appended to, and the read models follow. Before that it looks for
what is due and finds nothing. The sides take turns, each once: 10,000 leads are repetitions enough.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg

from adapters.postgres.log_reader import HEAD
from adapters.postgres.rebuild import rebuild
from adapters.postgres.tables import connect
from aggregates.event import Event, PolicyRef
from aggregates.lead.events import LeadAssigned, LeadCaptured
from aggregates.lead.time_events import FirstFollowUpTaskIssued
from bench import services
from bench.harness import Figure, Server, family_cpu_seconds
from bench.history import put
from bench.visible import REFLECTED
from projections.catalogue import PROJECTIONS

FEW, DUE = 10_000, 10_000
MINUTE, DAY, MONTH = timedelta(minutes=1), timedelta(days=1), timedelta(days=30)
UNTIL_DUE = timedelta(seconds=60)
"""For the worker to start, to learn of the clocks, and to have nothing to do for a while."""
IDLE_SECONDS, PATIENCE = 15.0, 300.0
OWNER = "chen"
BREACHES = (
    "FROM log.leadlog_events WHERE notification_id > %s AND topic = 'lead.first-response-breached'"
)
RANG = f"SELECT count(*) {BREACHES}"
LATE = (
    "SELECT max(extract(epoch FROM recorded_at"
    f" - (convert_from(state, 'UTF8')::jsonb ->> 'occurred_at')::timestamptz))::float8 {BREACHES}"
)

Stored = tuple[UUID, int, Event]
Connection = psycopg.Connection[tuple[Any, ...]]


class Lived(NamedTuple):
    """CPU in milliseconds a second while nothing is due, and in microseconds for a clock that
    rings; by how many seconds the latest record was late.
    """

    idle: float
    rings: float
    late: float


def run(server: Server, many: int) -> list[Figure]:
    """Lateness, and both costs of the sweep with `many` clocks against those with a few."""
    company = {armed: _Company(server, armed) for armed in (FEW, many)}
    few, lots = (company[armed].live() for armed in (FEW, many))
    late = max(few.late, lots.late)
    sizes = f"{many:,} armed / {FEW:,} armed"
    return [
        Figure(
            "S10", f"due -> recorded, the latest of {DUE:,} in a minute, {many:,} more armed",
            f"{late:.1f} s", "-", None, "<= 10 s", late <= 10,
        ),
        _figure(f"CPU for a clock that rings, {sizes}", lots.rings, few.rings, "us"),
        _figure(f"CPU of a second in which none does, {sizes}", lots.idle, few.idle, "ms"),
    ]  # fmt: skip


def _figure(what: str, lots: float, few: float, unit: str) -> Figure:
    ratio = lots / few
    return Figure(
        "S10", what, f"{lots:,.0f} {unit}", f"{few:,.0f} {unit}", ratio, "<= 1.5 x", ratio <= 1.5
    )


class _Company:
    """A database in which so many clocks run that do not ring soon."""

    def __init__(self, server: Server, armed: int) -> None:
        self._server, self._dsn = server, server.database()
        self._due = [uuid4() for _ in range(DUE)]
        put(self._dsn, _armed(armed, self._due))
        with connect(self._dsn) as conn:
            for projection in PROJECTIONS.values():
                rebuild(conn, projection)
        with psycopg.connect(self._dsn, autocommit=True) as conn:
            conn.execute("VACUUM ANALYZE")

    def live(self) -> Lived:
        """A while without, and a minute with clocks that ring."""
        first_at = datetime.now(UTC) + UNTIL_DUE
        put(self._dsn, _ringing(self._due, first_at))
        with ExitStack() as stack:
            conn = stack.enter_context(psycopg.connect(self._dsn, autocommit=True))
            command = (services.LEADLOG, "worker", "--only", "project,process")
            pid = stack.enter_context(services.running(*command, "--database", self._dsn))
            head = _first(conn, HEAD)
            _wait(lambda: _first(conn, REFLECTED) >= head)
            # What PostgreSQL owes for the load itself is no cost of the sweep: vacuum, dirty pages.
            conn.execute("VACUUM ANALYZE")
            conn.execute("CHECKPOINT")
            idle = self._spent(pid, lambda: time.sleep(IDLE_SECONDS)) / IDLE_SECONDS
            assert datetime.now(UTC) < first_at, "too slow a machine: clocks rang meanwhile"
            rings = self._spent(pid, lambda: _wait(lambda: _all_rang(conn, head))) / DUE
            return Lived(idle * 1e3, rings * 1e6, _first(conn, LATE, head))

    def _spent(self, worker: int, work: Callable[[], None]) -> float:
        """CPU seconds of the worker and all of PostgreSQL."""
        before = family_cpu_seconds(worker) + self._server.cpu_seconds()
        work()
        return family_cpu_seconds(worker) + self._server.cpu_seconds() - before


def _armed(amount: int, others: Sequence[UUID]) -> Iterator[Stored]:
    """Leads with an owner: those whose clocks run, spread over a month, and others without any."""
    now, details = datetime.now(UTC), {"customer": "某科技有限公司", "source": "官网注册"}
    leads = [*others, *(uuid4() for _ in range(amount))]
    for n, lead in enumerate(leads):
        yield lead, 1, LeadCaptured(occurred_at=now, code=f"XS{n:07}", details=details)
        yield lead, 2, LeadAssigned(occurred_at=now, owner=OWNER, team="T")
    for n, lead in enumerate(leads[len(others) :], 1):
        yield lead, 3, _issued(now, now + DAY + n * MONTH / amount)


def _ringing(leads: Sequence[UUID], first_at: datetime) -> Iterator[Stored]:
    for n, lead in enumerate(leads):
        yield lead, 3, _issued(datetime.now(UTC), first_at + n * MINUTE / len(leads))


def _issued(at: datetime, due_at: datetime) -> Event:
    return FirstFollowUpTaskIssued(
        occurred_at=at,
        owner=OWNER,
        level="high",
        due_at=due_at,
        escalate_at=due_at + MONTH,
        policy=PolicyRef("response", 1, ""),
    )


def _all_rang(conn: Connection, head: int) -> bool:
    """Whether all is recorded, and every read model knows it."""
    return bool(_first(conn, RANG, head) == DUE and _first(conn, REFLECTED) == _first(conn, HEAD))


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "the worker does not get on"
        time.sleep(0.5)


def _first(conn: Connection, query: str, *params: object) -> Any:
    row = conn.execute(query, params or None).fetchone()
    assert row is not None
    return row[0]
