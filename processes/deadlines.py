"""Records what has become due, and nobody has to do anything for it (R28, R40, R41, R53, A26).

What rings stands in the read model `tasks`; what it means is decided upon the lead as it is then,
so a moot clock has no effect and two who sweep at once have one. A lead that fails is left for a
while and holds up no other.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from aggregates.lead.state import Lead
from commands.lead_loop import LeadLoop
from commands.loop import Contended, Reply
from commands.ports import Clock, DueLeads, Unavailable

NAME = "deadlines"
PAGE = 512
IN_FLIGHT = 128
LOOKS_BACK = timedelta(days=60)
"""No clock that an import would start runs longer: what happened before is not looked at."""
AGAIN_SECONDS = 1.0
"""Until a lead is tried again that could not be dealt with, or about which there was nothing."""

Do = Callable[[UUID], Awaitable[Reply[Lead]]]

logger = logging.getLogger("leadlog.processes")


class Deadlines:
    """One holder of the lease at a time runs it; two do no harm."""

    def __init__(self, loop: LeadLoop, due_leads: DueLeads, clock: Clock) -> None:
        self._loop, self._due_leads, self._clock = loop, due_leads, clock
        self._in_flight = asyncio.Semaphore(IN_FLIGHT)
        self._recorded: dict[UUID, int] = {}
        self._not_before: dict[UUID, float] = {}
        self._armed = 0

    async def step(self) -> bool:
        """Fire a page of what is due; False when nothing is for now. Raises Unavailable."""
        now = self._clock.now()
        armed = await self._arm(now)
        reflected, due = await self._due_leads.due(now, PAGE + len(self._not_before))
        self._forget(reflected)
        leads = [lead for lead in due if lead not in self._recorded | self._not_before][:PAGE]
        await self._each(self._loop.fire, leads)
        return bool(leads) or armed

    async def next_at(self) -> datetime | None:
        """When the next clock rings, as the read model knows it by now."""
        return await self._due_leads.next_at()

    async def _arm(self, now: datetime) -> bool:
        reflected, found = await self._due_leads.unarmed(now - LOOKS_BACK, self._armed, PAGE)
        await self._each(self._loop.arm, [waiting.lead for waiting in found])
        self._armed = found[-1].since if len(found) == PAGE else reflected
        return bool(found)

    async def _each(self, do: Do, leads: Sequence[UUID]) -> None:
        """Deal with all of them; one that fails is left for a while.

        That the database does not answer concerns all leads: Unavailable is raised.
        """
        work = [self._in_turn(do, lead) for lead in leads]
        for lead, reply in zip(
            leads, await asyncio.gather(*work, return_exceptions=True), strict=True
        ):
            if isinstance(reply, BaseException):
                everybodys = isinstance(reply, Unavailable) and not isinstance(reply, Contended)
                if everybodys or not isinstance(reply, Exception):
                    raise reply
                logger.warning("what is due on lead %s is not recorded yet: %r", lead, reply)
            if isinstance(reply, Reply) and reply.position:
                self._recorded[lead] = reply.position
            else:
                self._not_before[lead] = time.monotonic() + AGAIN_SECONDS

    async def _in_turn(self, do: Do, lead: UUID) -> Reply[Lead]:
        async with self._in_flight:
            return await do(lead)

    def _forget(self, reflected: int) -> None:
        """What the read model has heard of by now, and whose time to try again has come."""
        now = time.monotonic()
        self._recorded = {k: p for k, p in self._recorded.items() if p > reflected}
        self._not_before = {k: at for k, at in self._not_before.items() if at > now}
