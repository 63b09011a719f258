"""Lives simulated time through: from instant to instant at which something is due (decision 3)."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from adapters.clock import SimulatedClock
from adapters.company import Company, keep_clock, open_company
from adapters.postgres import leases
from adapters.postgres.processes import PROCESSES, Process, lease_all
from adapters.postgres.runner import catch_up_on
from adapters.postgres.tables import Connection
from adapters.postgres.tables import connect as connect_projector
from adapters.settings import Settings, StartupError
from adapters.write_side import open_write_side
from aggregates.values import local_time

READS = sorted({name for duty in PROCESSES.values() for name in duty.reads})
MOST_STEPS = 100_000
"""At one instant; more means that a process never comes to an end."""
AGAIN_SECONDS, PATIENCE_SECONDS = 0.2, 10.0
"""How soon and how long what is due is tried again that a process could not deal with."""


async def run_until(
    dsn: str, settings: Settings, until: datetime, told: Callable[[datetime], None]
) -> None:
    """Move the clock of a simulated database to `until`, and record all that is due on the way.

    `told` hears of every instant. A run that is killed is taken up by the next one. StartupError
    where time is real, the clock is past `until` already, somebody else moves it or goes by it, or
    something that is due cannot be recorded: then the clock stays there.
    """
    if open_company(dsn, settings).clock_kind != "simulated":
        raise StartupError(
            "this database lives in real time, which nobody can move: use one that was made with"
            " `leadlog demo`"
        )
    async with AsyncExitStack() as stack:
        begin_at = await lease_all(dsn, stack)
        if begin_at is None:
            raise StartupError("a worker runs on this database: stop it first")
        if not _leased(stack.enter_context(connect_projector(dsn, autocommit=True)), leases.TAKE):
            raise StartupError("the service runs on this database: stop it first")
        company = open_company(dsn, settings)  # another mover may have ended since
        clock = SimulatedClock(_start(company, until))
        own = open_write_side(dsn, company, stack, clock)
        processes = [duty.make(own, begin_at) for duty in PROCESSES.values()]
        projector = stack.enter_context(connect_projector(dsn))
        await _Time(clock, processes, projector).go_on(until, told, company.zone)
        keep_clock(dsn, until)


@contextmanager
def going_by(dsn: str, settings: Settings) -> Iterator[None]:
    """While the block runs nobody moves the clock of the database, if it is a simulated one: a
    service reads it when it starts. StartupError while somebody does.
    """
    if open_company(dsn, settings).clock_kind != "simulated":
        yield
        return
    with connect_projector(dsn, autocommit=True) as conn:
        if not _leased(conn, leases.SHARE):
            raise StartupError(
                "the clock of this database is being moved: wait for `leadlog timers run` to end"
            )
        yield


def _leased(conn: Connection, how: str) -> bool:
    return conn.execute(how, (leases.CLOCK, "clock")).fetchone() == (True,)


def _start(company: Company, until: datetime) -> datetime:
    """Where the clock stands."""
    start = company.stood_at or company.clock().now()
    if until < start:
        at = local_time(start, company.zone)
        raise StartupError(f"the clock stands at {at}: time never goes back")
    return start


class _Time:
    """A clock that waits at each instant for all that is to be done then."""

    def __init__(
        self, clock: SimulatedClock, processes: Sequence[Process], projector: Connection
    ) -> None:
        self._clock, self._processes, self._projector = clock, processes, projector

    async def go_on(
        self, until: datetime, told: Callable[[datetime], None], zone: ZoneInfo
    ) -> None:
        """From one instant at which something is due to the next."""
        await self._settle()
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while (instant := await self._next()) and instant <= until:
            if instant > self._clock.now():
                self._clock.move_to(instant)
                told(instant)
                give_up_at = time.monotonic() + PATIENCE_SECONDS
            elif time.monotonic() < give_up_at:
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                at = local_time(self._clock.now(), zone)
                raise StartupError(f"the clock stays at {at}: what is due then cannot be recorded")
            await self._settle()

    async def _settle(self) -> None:
        for _ in range(MOST_STEPS):
            catch_up_on(self._projector, READS)
            if not any([await process.step() for process in self._processes]):
                return
        raise AssertionError("the processes never come to an end")

    async def _next(self) -> datetime | None:
        instants = [await process.next_at() for process in self._processes]
        return min((at for at in instants if at), default=None)
