"""Records what has become due, and nobody has to do anything for it (R28, R40, R41, R53, A26).

What rings stands in the read model `tasks`; what it means is decided upon the lead as it is then,
so a moot clock has no effect and two who sweep at once have one. A lead that fails, or that rings
for nothing, is left for longer and longer, is named in the log once, and holds up no other.

Leads that an import brought are looked at in the order of the log, once by each holder of the
lease, as long as none of their clocks was started; only those that fail are tried again.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from aggregates.lead.state import Lead
from commands.lead_loop import LeadLoop
from commands.loop import Reply
from commands.ports import Clock, DueLeads
from processes.gathering import each_of
from processes.setbacks import Setbacks

NAME = "deadlines"
PAGE = 512
CLOCKS = 8
"""So many of one lead may have rung at once."""

Do = Callable[[UUID], Awaitable[Reply[Lead]]]
Outcome = Reply[Lead] | Exception
Done = Callable[[UUID, Outcome], None]


class Deadlines:
    """One holder of the lease at a time runs it; two do no harm."""

    def __init__(self, loop: LeadLoop, due_leads: DueLeads, clock: Clock) -> None:
        self._loop, self._due_leads, self._clock = loop, due_leads, clock
        self._recorded: dict[UUID, int] = {}
        self._unfired = Setbacks("what is due on")
        self._unarmed = Setbacks("starting the clocks of")
        self._armed = 0

    async def step(self) -> bool:
        """Fire a page of what is due; False when nothing is for now. Raises Unavailable."""
        now = self._clock.now()
        armed = await self._arm(now)
        held_back = self._unfired.resting() | self._recorded.keys()
        reflected, due = await self._due_leads.due(now, PAGE + CLOCKS * len(held_back))
        self._forget(reflected)
        leads = [lead for lead in due if lead not in held_back][:PAGE]
        await self._each(self._loop.fire, leads, self._fired)
        return bool(leads) or armed

    async def next_at(self) -> datetime | None:
        """When the next clock rings, as the read model knows it by now."""
        return await self._due_leads.next_at()

    async def _arm(self, now: datetime) -> bool:
        timing = await self._loop.timing()
        since = timing.reaches_back(now)
        reflected, found = await self._due_leads.unarmed(since, self._armed, PAGE)
        again = self._unarmed.rested()[:PAGE]
        leads = dict.fromkeys((*(waiting.lead for waiting in found), *again))
        await self._each(self._loop.arm, list(leads), self._was_armed)
        self._armed = found[-1].since if len(found) == PAGE else reflected
        return bool(found)

    async def _each(self, do: Do, leads: Sequence[UUID], done: Done) -> None:
        """Deal with all of them; one that fails is left for a while. Raises Unavailable."""
        for lead, outcome in zip(leads, await each_of(map(do, leads)), strict=True):
            done(lead, outcome)

    def _fired(self, lead: UUID, reply: Outcome) -> None:
        if isinstance(reply, Exception):
            self._unfired.failed(lead, reply)
        elif reply.position:
            self._unfired.over(lead)
            self._recorded[lead] = reply.position
        else:
            self._unfired.had_no_effect(lead)

    def _was_armed(self, lead: UUID, reply: Outcome) -> None:
        if isinstance(reply, Exception):
            self._unarmed.failed(lead, reply)
        else:
            self._unarmed.over(lead)

    def _forget(self, reflected: int) -> None:
        """What the read model has heard of by now."""
        self._recorded = {k: p for k, p in self._recorded.items() if p > reflected}
        self._unfired.forget()
