"""Carries a plan out: the real commands on the real log, in simulated time.

Each command is given at its own instant; the log's clock moves from window to window, so what is
said within a window is recorded at its end. Leads run side by side, a lead's steps one by one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from uuid import UUID

from adapters.clock import SimulatedClock
from adapters.company import Company
from adapters.demo.plan import Step, windows
from adapters.postgres.event_log import PostgresEventLog
from aggregates.lead.state import Lead, evolve
from commands.caller import Caller
from commands.leads import LeadCommands
from commands.loop import CommandLoop

WINDOW = timedelta(hours=1)

_now: ContextVar[datetime] = ContextVar("now")


class _StepClock:
    """Every task has an instant of its own."""

    def now(self) -> datetime:
        """The instant of the step that is being carried out, UTC."""
        return _now.get()


async def drive(
    dsn: str, company: Company, steps: Sequence[Step], progress: Callable[[int], None]
) -> int:
    """Carry all steps out; `progress` is told how many were. Returns the number of leads.

    A refused step is a defect of the plan and is raised.
    """
    clock = SimulatedClock(steps[0].at)
    log = PostgresEventLog(dsn, simulated_now=clock.now)
    loop = CommandLoop(log, Lead, evolve)
    commands = LeadCommands(loop, log, _StepClock(), company.zone, company.ledger_key)
    leads: dict[int, UUID] = {}

    async def live(lead: int, mine: Sequence[Step]) -> None:
        for step in mine:
            _now.set(step.at)
            reply = await commands.execute(
                step.command,
                lead=leads.get(lead),
                caller=Caller(step.actor),
                key=f"demo-{lead}-{step.at:%Y%m%dT%H%M%S%f}-{type(step.command).__name__}",
            )
            leads[lead] = reply.state.id
        progress(len(mine))

    try:
        for end, window in windows(steps, WINDOW):
            clock.move_to(end)
            by_lead: defaultdict[int, list[Step]] = defaultdict(list)
            for step in window:
                by_lead[step.lead].append(step)
            await asyncio.gather(*(live(lead, mine) for lead, mine in by_lead.items()))
    finally:
        await log.close()
    return len(leads)
