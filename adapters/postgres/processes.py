"""Runs the processes: those that watch the log and send commands of their own.

Each is leased by one worker at a time (a session lock: it is free the moment its holder is gone).
NOTIFY is only a hint to look early. After a lost connection it begins again, with growing pauses,
until `stop` is set.
"""

import asyncio
import logging
import threading
import time
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

import psycopg
import uvloop
from psycopg import AsyncConnection, sql

from adapters.company import Company
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.log_reader import HEAD
from adapters.postgres.register import PostgresRegistry
from adapters.postgres.runner import catch_up
from adapters.postgres.workloads import PostgresWorkloads
from aggregates.lead.evolve import evolve
from aggregates.lead.state import Lead
from commands.loop import CommandLoop
from commands.ports import Unavailable
from processes import assignment
from processes.assignment import Assignment

Connection: TypeAlias = AsyncConnection[tuple[Any, ...]]

logger = logging.getLogger("leadlog.processes")

PROCESSES = (assignment.NAME,)
WORKLOAD = "workload"
"""The read model that the assignment process works from."""
STEPS_AHEAD = 16
"""Without a worker the process is its own projector, so often that it has little to remember."""
POLL_SECONDS = 0.5
LEASE_SECONDS = 1.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
LEASE = "SELECT pg_try_advisory_lock(7220504, hashtext(%s))"
LISTENER = "leadlog_projector"


def run_forever(dsn: str, company: Company, stop: threading.Event) -> None:
    """Run the assignment process until `stop` is set."""
    pause = SHORTEST_PAUSE
    while not stop.is_set():
        started = time.monotonic()
        try:
            uvloop.run(_run(dsn, company, stop))
        except (psycopg.Error, Unavailable) as error:
            pause = SHORTEST_PAUSE if time.monotonic() - started > LONGEST_PAUSE else pause * 2
            pause = min(pause, LONGEST_PAUSE)
            logger.warning("the database lets us down, again in %.1f s: %s", pause, error)
            stop.wait(pause)


async def run_to_end(dsn: str, company: Company) -> bool:
    """Do all that is to be done now; False when a worker has the lease and does it."""
    async with await AsyncConnection.connect(dsn, autocommit=True, connect_timeout=10) as conn:
        await conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(LISTENER)))
        if not await _scalar(conn, LEASE, (f"process:{assignment.NAME}",)):
            return False
        begin_at = await _scalar(conn, HEAD)
        await asyncio.to_thread(catch_up, dsn, [WORKLOAD])
        async with AsyncExitStack() as stack:
            process = await _assignment(dsn, company, stack, begin_at=begin_at)
            steps = 0
            while await process.step():
                steps += 1
                if steps % STEPS_AHEAD == 0:
                    await asyncio.to_thread(catch_up, dsn, [WORKLOAD])
    return True


async def _run(dsn: str, company: Company, stop: threading.Event) -> None:
    """One connected spell: wait for the lease, then work as long as the connection holds."""
    async with await AsyncConnection.connect(dsn, autocommit=True, connect_timeout=10) as conn:
        await conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(LISTENER)))
        while not await _scalar(conn, LEASE, (f"process:{assignment.NAME}",)):
            if stop.is_set():
                return
            await asyncio.sleep(LEASE_SECONDS)
        await conn.execute("LISTEN leadlog_events")
        async with AsyncExitStack() as stack:
            process = await _assignment(dsn, company, stack, begin_at=await _scalar(conn, HEAD))
            while not stop.is_set():
                if not await process.step():
                    await _listen(conn)


async def _assignment(
    dsn: str, company: Company, stack: AsyncExitStack, *, begin_at: int
) -> Assignment:
    clock = company.clock()
    simulated_now = clock.now if company.clock_kind == "simulated" else None
    log = PostgresEventLog(dsn, simulated_now=simulated_now)
    registry, workloads = PostgresRegistry(dsn), PostgresWorkloads(dsn)
    for resource in (log, registry, workloads):
        stack.push_async_callback(resource.close)
    loop = CommandLoop(log, Lead, evolve)
    return Assignment(loop, registry, workloads, clock, company.zone, begin_at=begin_at)


async def _listen(conn: Connection) -> None:
    """Wait for a hint, and find out in the meantime when the lease is lost."""
    async for _ in conn.notifies(timeout=POLL_SECONDS, stop_after=1):
        pass


async def _scalar(conn: Connection, query: str, params: tuple[str, ...] = ()) -> int:
    row = await (await conn.execute(query, params)).fetchone()
    assert row is not None
    return int(row[0])
