"""Runs the processes: those that watch the log and the clock and send commands of their own.

Each is leased by one worker at a time (a session lock: it is free the moment its holder is gone)
and looked after by a task of its own, so that none waits for another. NOTIFY is only a hint to look
early. After a lost connection a process begins again, with growing pauses, until `stop` is set.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

import psycopg
import uvloop
from psycopg import AsyncConnection, sql

from adapters.company import Company
from adapters.postgres.log_reader import HEAD
from adapters.postgres.runner import catch_up
from adapters.write_side import WriteSide, open_write_side
from commands.ports import Unavailable
from processes import assignment, deadlines
from processes.assignment import Assignment
from processes.deadlines import Deadlines

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]

logger = logging.getLogger("leadlog.processes")

STEPS_AHEAD = 16
"""Without a worker a process is its own projector, so often that it has little to remember."""
POLL_SECONDS = 0.5
LEASE_SECONDS = 1.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
LEASE = "SELECT pg_try_advisory_lock(7220504, hashtext(%s))"
LISTENER = "leadlog_projector"


class Process(Protocol):
    """A process that holds its lease."""

    async def step(self) -> bool:
        """Do some of what is to be done; False when there is nothing for now."""
        ...

    async def next_at(self) -> datetime | None:
        """The next instant at which there is something to do though nothing happens; UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Duty:
    """A process: the read models that it works from, and how it is made of the write side, at a
    position of the log.
    """

    reads: tuple[str, ...]
    make: Callable[[WriteSide, int], Process]


def _assignment(own: WriteSide, begin_at: int) -> Process:
    parts = (own.leads, own.registry, own.workloads, own.clock, own.zone)
    return Assignment(*parts, begin_at=begin_at)


def _deadlines(own: WriteSide, _: int) -> Process:
    return Deadlines(own.leads, own.due_leads, own.clock)


PROCESSES: Mapping[str, Duty] = {
    assignment.NAME: Duty(("workload",), _assignment),
    deadlines.NAME: Duty(("tasks",), _deadlines),
}


def run_forever(dsn: str, company: Company, stop: threading.Event) -> None:
    """Run every process until `stop` is set, or one of them fails for good."""
    uvloop.run(_run_all(dsn, company, stop))


async def run_to_end(dsn: str, company: Company, name: str) -> bool:
    """Do all that a process has to do now; False when a worker has its lease and does it."""
    duty = PROCESSES[name]
    async with await connect(dsn) as conn:
        if not await leased(conn, name):
            return False
        begin_at = await _scalar(conn, HEAD)
        await asyncio.to_thread(catch_up, dsn, duty.reads)
        async with AsyncExitStack() as stack:
            process = duty.make(open_write_side(dsn, company, stack), begin_at)
            steps = 0
            while await process.step():
                steps += 1
                if steps % STEPS_AHEAD == 0:
                    await asyncio.to_thread(catch_up, dsn, duty.reads)
    return True


async def connect(dsn: str) -> Connection:
    """A connection that may hold leases and listen."""
    conn = await AsyncConnection.connect(dsn, autocommit=True, connect_timeout=10)
    await conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(LISTENER)))
    return conn


async def leased(conn: Connection, name: str) -> bool:
    """Take the lease of a process for as long as the connection lives; False if it is taken."""
    return bool(await _scalar(conn, LEASE, (f"process:{name}",)))


async def _run_all(dsn: str, company: Company, stop: threading.Event) -> None:
    await asyncio.gather(*(_run(name, dsn, company, stop) for name in PROCESSES))


async def _run(name: str, dsn: str, company: Company, stop: threading.Event) -> None:
    """Look after one process, through lost connections."""
    pause = SHORTEST_PAUSE
    while not stop.is_set():
        started = time.monotonic()
        try:
            await _spell(name, dsn, company, stop)
        except (psycopg.Error, Unavailable) as error:
            pause = SHORTEST_PAUSE if time.monotonic() - started > LONGEST_PAUSE else pause * 2
            pause = min(pause, LONGEST_PAUSE)
            logger.warning("%s: the database lets us down, again in %.1f s: %s", name, pause, error)
            await asyncio.sleep(pause)


async def _spell(name: str, dsn: str, company: Company, stop: threading.Event) -> None:
    """One connected spell: wait for the lease, then work as long as the connection holds."""
    async with await connect(dsn) as conn:
        while not await leased(conn, name):
            if stop.is_set():
                return
            await asyncio.sleep(LEASE_SECONDS)
        await conn.execute("LISTEN leadlog_events")
        async with AsyncExitStack() as stack:
            own = open_write_side(dsn, company, stack)
            process = PROCESSES[name].make(own, await _scalar(conn, HEAD))
            while not stop.is_set():
                if not await process.step():
                    await _listen(conn)


async def _listen(conn: Connection) -> None:
    """Wait for a hint, and find out in the meantime when the lease is lost."""
    async for _ in conn.notifies(timeout=POLL_SECONDS, stop_after=1):
        pass


async def _scalar(conn: Connection, query: str, params: tuple[str, ...] = ()) -> int:
    row = await (await conn.execute(query, params)).fetchone()
    assert row is not None
    return int(row[0])
