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
from adapters.measures import FAILURES, STEP_SECONDS
from adapters.postgres import leases
from adapters.postgres.leases import Pauses
from adapters.postgres.log_reader import HEAD
from adapters.postgres.runner import catch_up
from adapters.write_side import WriteSide, open_write_side
from commands.ports import Unavailable
from processes import assignment, deadlines, periodic
from processes.assignment import Assignment
from processes.deadlines import Deadlines
from processes.periodic import Periodic
from processes.recycling import Recycling
from processes.reviews import Reviews

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]

logger = logging.getLogger("leadlog.processes")

STEPS_AHEAD = 16
"""Without a worker a process is its own projector, so often that it has little to remember."""
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
    position of the log. Where time alone makes work, events need not wake it: `follows_events`.
    """

    reads: tuple[str, ...]
    make: Callable[[WriteSide, int], Process]
    follows_events: bool = True


def _assignment(own: WriteSide, begin_at: int) -> Process:
    parts = (own.leads, own.registry, own.workloads, own.clock, own.zone)
    return Assignment(*parts, begin_at=begin_at)


def _deadlines(own: WriteSide, _: int) -> Process:
    return Deadlines(own.leads, own.due_leads, own.clock)


def _periodic(own: WriteSide, _: int) -> Process:
    parts = (own.leads, own.log, own.registry, own.reviewing, own.zone)
    reads = (own.registry, own.reviewing, own.due_leads)
    return Periodic(Recycling(*parts), Reviews(*parts), *reads, own.clock, own.zone)


PROCESSES: Mapping[str, Duty] = {
    assignment.NAME: Duty(("workload",), _assignment),
    deadlines.NAME: Duty(("tasks",), _deadlines, follows_events=False),
    periodic.NAME: Duty(("tasks", "reviewing"), _periodic, follows_events=False),
}


def run_forever(
    dsn: str,
    company: Company,
    stop: threading.Event,
    duties: Mapping[str, Duty] = PROCESSES,
) -> None:
    """Run every process until `stop` is set, or one of them fails for good."""
    uvloop.run(_run_all(dsn, company, stop, duties))


async def run_to_end(dsn: str, company: Company, name: str) -> bool:
    """Do all that a process has to do now; False when a worker has its lease and does it."""
    duty = PROCESSES[name]
    async with await _connect(dsn) as conn:
        if not await _leased(conn, name):
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


async def lease_all(dsn: str, stack: AsyncExitStack) -> int | None:
    """Lease every process for as long as `stack` is open: the position of the log by then, None if
    anybody has one of them.
    """
    conn = await stack.enter_async_context(await _connect(dsn))
    if not all([await _leased(conn, name) for name in PROCESSES]):
        return None
    return await _scalar(conn, HEAD)


async def _connect(dsn: str) -> Connection:
    """A connection that may hold leases and listen."""
    conn = await AsyncConnection.connect(dsn, autocommit=True, connect_timeout=10)
    try:
        await conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(LISTENER)))
    except BaseException:  # the worker may be ending: nobody else would close it
        await conn.close()
        raise
    return conn


async def _leased(conn: Connection, name: str) -> bool:
    """Take the lease of a process for as long as the connection lives; False if it is taken."""
    return bool(await _scalar(conn, leases.TAKE, leases.PROCESS, f"process:{name}"))


async def _run_all(
    dsn: str, company: Company, stop: threading.Event, duties: Mapping[str, Duty]
) -> None:
    await asyncio.gather(*(_run(n, duty, dsn, company, stop) for n, duty in duties.items()))


async def _run(name: str, duty: Duty, dsn: str, company: Company, stop: threading.Event) -> None:
    """Look after one process, through lost connections."""
    pauses = Pauses()
    while not stop.is_set():
        pauses.begin()
        try:
            await _spell(name, duty, dsn, company, stop)
        except (psycopg.Error, Unavailable) as error:
            pause = pauses.next()
            FAILURES.add(f"process:{name}")
            logger.warning("%s: the database lets us down, again in %.1f s: %s", name, pause, error)
            await asyncio.sleep(pause)


async def _spell(name: str, duty: Duty, dsn: str, company: Company, stop: threading.Event) -> None:
    """One connected spell: wait for the lease, then work as long as the connection holds."""
    async with await _connect(dsn) as conn:
        while not await _leased(conn, name):
            if stop.is_set():
                return
            await asyncio.sleep(leases.LEASE_SECONDS)
        if duty.follows_events:
            await conn.execute("LISTEN leadlog_events")
        async with AsyncExitStack() as stack:
            own = open_write_side(dsn, company, stack)
            process = duty.make(own, await _scalar(conn, HEAD))
            while not stop.is_set():
                begun = time.perf_counter()
                if await process.step():
                    STEP_SECONDS.observe(time.perf_counter() - begun, name)
                else:
                    await _listen(conn)


async def _listen(conn: Connection) -> None:
    """Wait for a hint, and find out in the meantime when the lease is lost."""
    async for _ in conn.notifies(timeout=leases.POLL_SECONDS, stop_after=1):
        pass


async def _scalar(conn: Connection, query: str, *params: str | int) -> int:
    row = await (await conn.execute(query, params)).fetchone()
    assert row is not None
    return int(row[0])
