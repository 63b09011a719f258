"""The duties that come round: reviews, clean-up, recycling (R71, R100, R109, R119, A25).

Each falls due at a midnight of the company's zone, is carried out in order and once: what is done
stands in the log, under names that follow from duty, period, and lead or team. So a restart, a
second worker or a long standstill neither leaves out nor doubles anything; of what was missed,
the last four periods of each kind are made up for. What lies before the company's first event is
nobody's duty.

A period is looked at when all that belongs to it is there: what was recorded by its end, and the
clocks that rang in it.
"""

import logging
import time
from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from aggregates.review.periods import CLEAN_UP, RECYCLING, Duty, duties
from commands.ports import Clock, DueLeads
from commands.register import Registry
from commands.reviewing import Reviewing
from processes.recycling import Recycling
from processes.reviews import Reviews

NAME = "periodic"
MOST_MISSED = 4
PATIENCE_SECONDS = 60.0
"""So long a duty waits for clocks that should have rung: a lead that fails holds up no review."""
MOST_TRIES = 5
"""So often leads that fail are proposed; then the clean-up goes on without them."""
A_MOMENT = timedelta(microseconds=1)

logger = logging.getLogger("leadlog.processes")


class Periodic:
    """One holder of the lease at a time runs it; two do no harm."""

    def __init__(
        self,
        recycling: Recycling,
        reviews: Reviews,
        registry: Registry,
        reviewing: Reviewing,
        due_leads: DueLeads,
        clock: Clock,
        zone: ZoneInfo,
    ) -> None:
        self._recycling, self._reviews = recycling, reviews
        self._registry, self._reviewing, self._due_leads = registry, reviewing, due_leads
        self._clock, self._zone = clock, zone
        self._pending: deque[Duty] = deque()
        self._listed: datetime | None = None
        self._written = 0
        self._tried: tuple[Duty | None, int] = None, 0
        self._proposed: Duty | None = None
        self._waits: tuple[Duty, float] | None = None

    async def step(self) -> bool:
        """Carry a duty out, or a part of it; False when there is nothing for now.

        Raises Unavailable; what was under way then is found done or undone by the next holder.
        """
        await self._list()
        if not self._pending or not await self._is_ready(self._pending[0]):
            return False
        if await self._carry_out(self._pending[0]):
            self._pending.popleft()
        return True

    async def next_at(self) -> datetime | None:
        """When the next duty falls due, or fell; None while the company has not begun."""
        await self._list()
        if self._pending or self._listed is None:
            return self._pending[0].at if self._pending else None
        return next(await self._duties(self._listed)).at

    async def _list(self) -> None:
        """What has fallen due since the last look."""
        now, since = self._clock.now(), self._listed or await self._reviewing.began_at()
        if since is None or now < since:
            return
        due = takewhile(lambda duty: duty.at <= now, await self._duties(since))
        self._pending = deque(_latest([*self._pending, *due]))
        self._listed = now

    async def _duties(self, after: datetime) -> Iterator[Duty]:
        """The company's duties: where it lets no lead return to the pool, that is none."""
        register = await self._registry.current()
        recycles = register.policies.pool.rules.recycle_after_days is not None
        return (d for d in duties(after, self._zone) if recycles or d.kind != RECYCLING)

    async def _is_ready(self, duty: Duty) -> bool:
        """Whether the read models hold what belongs to the period, and what earlier duties did."""
        known = max(await self._reviewing.known_at(duty.at), self._written)
        position, ringing = await self._due_leads.due(duty.at - A_MOMENT, 1)
        if position < known or (ringing and not self._is_out_of_patience(duty)):
            return False
        return await self._reviewing.position() >= max(known, position)

    def _is_out_of_patience(self, duty: Duty) -> bool:
        if self._waits is None or self._waits[0] != duty:
            self._waits = duty, time.monotonic()
        return time.monotonic() > self._waits[1] + PATIENCE_SECONDS

    async def _carry_out(self, duty: Duty) -> bool:
        """Whether the duty is done; a clean-up is when its proposals can be read back."""
        if duty.kind == RECYCLING:
            await self._recycling.carry_out(duty.at)
            self._written = await self._reviewing.head()
            return True
        if await self._reviews.are_open(duty):
            return True
        if duty.kind == CLEAN_UP and self._proposed != duty:
            await self._propose(duty)
            return False
        await self._reviews.open(duty, await self._reviewing.known_at(duty.at))
        logger.info("%s of %s: reviews are open", duty.kind, duty.since)
        return True

    async def _propose(self, duty: Duty) -> None:
        """Propose the leads of the clean-up, or those of them that failed before."""
        failed = await self._reviews.propose(duty)
        # What another worker proposed meanwhile is no later than that.
        self._written = await self._reviewing.head()
        tries = self._tried[1] + 1 if self._tried[0] == duty else 1
        self._tried = duty, tries
        if failed and tries < MOST_TRIES:
            return
        if failed:
            names = ", ".join(map(str, failed))
            logger.warning("%s of %s goes on without leads %s", duty.kind, duty.since, names)
        self._proposed = duty


def _latest(pending: list[Duty]) -> list[Duty]:
    """The last ones of each kind; idle leads are released when they were due in any case."""
    kept: dict[str, deque[Duty]] = {}
    for duty in pending:
        most = 1 if duty.kind == RECYCLING else MOST_MISSED
        kept.setdefault(duty.kind, deque(maxlen=most)).append(duty)
    return [duty for duty in pending if duty in kept[duty.kind]]
