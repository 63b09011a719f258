"""Lives simulated time through: from instant to instant at which something is due (decision 3)."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime

from adapters.clock import SimulatedClock
from adapters.company import Company, keep_clock
from adapters.postgres.log_reader import HEAD
from adapters.postgres.processes import PROCESSES, Process, connect, leased
from adapters.postgres.runner import catch_up_on
from adapters.postgres.tables import connect as connect_projector
from adapters.settings import StartupError
from adapters.write_side import open_write_side
from aggregates.values import local_time

MOST_STEPS = 100_000
"""At one instant; more means that a process never comes to an end."""


async def run_until(
    dsn: str, company: Company, until: datetime, told: Callable[[datetime], None]
) -> None:
    """Move the clock of a simulated database to `until`, and record all that is due on the way.

    `told` hears of every instant. StartupError where a clock is real, lies behind `until` already,
    or a worker moves it.
    """
    if company.clock_kind != "simulated":
        raise StartupError(
            "this database lives in real time, which nobody can move: use one that was made with"
            " `leadlog demo`"
        )
    start = company.clock().now()
    if until < start:
        raise StartupError(f"the clock stands at {local_time(start, company.zone)}: time never goes back")
    clock = SimulatedClock(start)
    async with AsyncExitStack() as stack:
        lease = await stack.enter_async_context(await connect(dsn))
        for name in PROCESSES:
            if not await leased(lease, name):
                raise StartupError("a worker runs on this database: stop it first")
        projector = stack.enter_context(connect_projector(dsn))
        head = await (await lease.execute(HEAD)).fetchone()
        own = open_write_side(dsn, company, stack, clock)
        processes = [duty.make(own, head[0] if head else 0) for duty in PROCESSES.values()]
        reads = sorted({name for duty in PROCESSES.values() for name in duty.reads})

        async def settle() -> None:
            for _ in range(MOST_STEPS):
                catch_up_on(projector, reads)
                if not any([await process.step() for process in processes]):
                    return
            raise AssertionError("the processes never come to an end")

        await settle()
        while (instant := await _next(processes)) and instant <= until:
            clock.move_to(instant)
            told(instant)
            await settle()
        clock.move_to(until)
        keep_clock(dsn, until)


async def _next(processes: list[Process]) -> datetime | None:
    instants = [await process.next_at() for process in processes]
    return min((at for at in instants if at), default=None)
