"""S11: what an append and a read cost in a large log, against a log of 10,000 events.

Appends go to existing leads chosen at random, 64 in flight, through the group committer. Reads are
the two that the service makes: one lead's events, and 500 events behind a position.

Appends are measured twice, at first and after a while in use. PostgreSQL writes each index page
whole when it is first touched after a checkpoint: for random leads of a large log that is about a
page per append at first, and little later. Both count.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from itertools import count
from uuid import UUID, uuid4

import psycopg
import uvloop

from adapters.postgres import log_reader
from adapters.postgres.event_log import GroupCommitter, PostgresEventLog, StoredAppend
from adapters.postgres.session import Session
from adapters.postgres.tables import connect
from bench.appends import STATE
from bench.harness import Figure, Server, interleaved
from bench.history import EVENTS_PER_LEAD, fill
from commands.ports import Outcome
from projections.catalogue import PROJECTIONS

SMALL = 10_000
SECONDS = 1.5
WARM_UP = 4.0
PAGE = 500
# Leads chosen at random, with their last versions.
SAMPLE = (
    "SELECT originator_id, max(originator_version) FROM log.leadlog_events"
    " WHERE originator_id IN (SELECT originator_id FROM log.leadlog_events"
    " WHERE originator_version = 1 ORDER BY random() LIMIT 10000) GROUP BY originator_id"
)


class _Log:
    """A filled log and the leads that are worked on."""

    def __init__(self, dsn: str, size: int) -> None:
        self.dsn, self.size = dsn, size
        fill(dsn, size)
        with psycopg.connect(dsn, autocommit=True) as conn:
            leads = conn.execute(SAMPLE).fetchall()
            conn.execute("CHECKPOINT")
        random.Random(1).shuffle(leads)
        self.versions: dict[UUID, int] = dict(leads)
        self.leads = list(self.versions)
        self.alike = [lead for lead, version in leads if version == EVENTS_PER_LEAD]

    def append(self, seconds: float = SECONDS) -> float:
        """Microseconds per append, all of them in flight together."""
        return uvloop.run(self._append(64, seconds))

    def load(self) -> float:
        """Microseconds per load of one lead of ten events, one after the other."""
        return uvloop.run(self._load())

    def page(self) -> float:
        """Microseconds per read of 500 events behind a random position."""
        starts = random.Random(1)
        with connect(self.dsn) as conn:
            return _per_call(
                lambda: log_reader.read(
                    conn, PROJECTIONS["leads"], starts.randrange(self.size - PAGE), self.size, PAGE
                )
            )

    async def _append(self, in_flight: int, seconds: float) -> float:
        session = Session(self.dsn, "leadlog_writer")
        committer = GroupCommitter(session)
        turns = count()

        async def one() -> None:
            lead = self.leads[next(turns) % len(self.leads)]
            self.versions[lead] += 1
            event = (lead, self.versions[lead], "lead.stage-changed", STATE)
            done = await committer.append(StoredAppend(uuid4(), b"f" * 16, [event]))
            assert done.outcome is Outcome.APPENDED

        cost = await _per_await(one, in_flight, seconds)
        await session.close()
        return cost

    async def _load(self) -> float:
        log = PostgresEventLog(self.dsn)
        turns = count()

        async def one() -> None:
            assert await log.load(self.alike[next(turns) % len(self.alike)])

        cost = await _per_await(one, 1, SECONDS)
        await log.close()
        return cost


def run(server: Server, rounds: int, size: int) -> list[Figure]:
    """Append, load and page, each against the small log."""
    large, small = (_Log(server.database(), events) for events in (size, SMALL))
    reads = [
        _figure("one lead's ten events", size, rounds, large.load, small.load),
        _figure(f"{PAGE} events behind a position", size, rounds, large.page, small.page),
    ]
    what = "append to a random lead, 64 in flight"
    first = _figure(f"{what}, at first", size, 1, large.append, small.append)
    for log in (large, small):
        log.append(WARM_UP)
    later = _figure(f"{what}, in use", size, rounds, large.append, small.append)
    return [first, later, *reads]


def _figure(
    what: str, size: int, rounds: int, large: Callable[[], float], small: Callable[[], float]
) -> Figure:
    cost = interleaved(rounds, large=large, small=small)
    ratio = cost["large"] / cost["small"]
    return Figure(
        "S11", f"{what}, log of {size:,} events / of {SMALL:,}",
        f"{cost['large']:,.0f} us", f"{cost['small']:,.0f} us", ratio, "<= 1.2 x", ratio <= 1.2,
    )  # fmt: skip


def _per_call(work: Callable[[], object]) -> float:
    """Microseconds per call."""
    started, calls = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        work()
        calls += 1
    return (time.perf_counter() - started) / calls * 1e6


async def _per_await(work: Callable[[], Awaitable[None]], in_flight: int, seconds: float) -> float:
    """Microseconds of wall clock per call, `in_flight` at a time."""
    started = time.perf_counter()

    async def client() -> int:
        calls = 0
        while time.perf_counter() - started < seconds:
            await work()
            calls += 1
        return calls

    calls = sum(await asyncio.gather(*(client() for _ in range(in_flight))))
    return (time.perf_counter() - started) / calls * 1e6
