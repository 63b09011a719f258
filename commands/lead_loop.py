"""The command loop of leads, whose clocks run whether or not anybody does something.

Before a lead is decided upon, what became due on it is recorded, by a command of its own; what
follows from the decision as time runs goes into the decision's commit. So the log depends on what
was done and when, never on how soon the sweep for due clocks comes by (P5).
"""

import logging
from functools import partial
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from aggregates.course import Course
from aggregates.event import Meta
from aggregates.lead.evolve import evolve
from aggregates.lead.expire import expire, is_behind
from aggregates.lead.follow_through import arm, follow_through
from aggregates.lead.guards import Erased
from aggregates.lead.state import Lead
from aggregates.lead.timing import Timing
from aggregates.working_time import WorkingTime
from commands.holidays import Holidays, NoHolidays, Special
from commands.loop import CommandLoop, Decide, Held, Intent, Reply, by_state
from commands.ports import Clock, EventLog
from commands.register import Register, Registry

logger = logging.getLogger("leadlog.leads")

DEADLINES = "process:deadlines"
TIMERS = UUID("2f8f4f8e-6a57-4e0c-9a0b-3d1c1b7f9e64")
ARMING = UUID("6b7a2c0e-9a51-4d8f-8a55-0f4b8c5d2e71")
MOST_ROUNDS = 5
"""Clocks that ring one after the other while a command is on its way."""


class Behind(Exception):  # noqa: N818 - a condition, not a defect
    """Something is due on the lead and has to be recorded first."""


class LeadLoop(CommandLoop[Lead]):
    """Carries intents on leads out in time. `zone` is the company's."""

    def __init__(
        self,
        log: EventLog,
        registry: Registry,
        clock: Clock,
        zone: ZoneInfo,
        holidays: Holidays | None = None,
    ) -> None:
        super().__init__(log, Lead, evolve)
        self._registry, self._clock, self._zone = registry, clock, zone
        self._holidays = holidays or NoHolidays()
        self._timing: tuple[Register, Timing] | None = None

    async def run(self, intent: Intent[Lead]) -> Reply[Lead]:
        """Carry an intent out on a lead that is up to date; raises as CommandLoop does."""
        conclude = partial(self._in_time, await self.timing())
        for _ in range(MOST_ROUNDS):
            try:
                return await self._carry_out(intent, conclude)
            except Behind:
                await self.fire(intent.stream)
        raise AssertionError("a lead that was brought up to date is behind")

    def remember(self, stream: UUID, state: Lead) -> None:
        """Keep a state that was just read; of an erased lead none stays behind."""
        if state.erased_at:
            self.forget(stream)
        else:
            super().remember(stream, state)

    async def fire(self, lead: UUID) -> Reply[Lead]:
        """Record what is due on a lead by now; nothing, if it is moot or recorded already.

        The command is named after the version that is decided upon: several who try at once have
        one effect.
        """
        timing = await self.timing()
        state = await self.read(lead)
        self.remember(lead, state)
        decide = by_state(partial(expire, now=self._clock.now(), timing=timing))
        meta = Meta(DEADLINES, uuid5(TIMERS, f"{lead}/{state.version}"))
        # What is due is all that it says: nothing follows, and the lead may be behind.
        return await super().run(Intent(lead, decide, meta, b""))

    async def arm(self, lead: UUID) -> Reply[Lead]:
        """Start the clocks of a lead that an import brought, those that ring in the future."""
        timing = await self.timing()
        state = await self.read(lead)
        self.remember(lead, state)
        decide = by_state(partial(arm, now=self._clock.now(), timing=timing))
        meta = Meta(DEADLINES, uuid5(ARMING, f"{lead}/{state.version}"))
        return await super().run(Intent(lead, decide, meta, b""))

    async def timing(self) -> Timing:
        """The rules of time in force."""
        register = await self._registry.current()
        if self._timing is None or self._timing[0] is not register:
            self._timing = register, self._timing_of(register)
        return self._timing[1]

    def _timing_of(self, register: Register) -> Timing:
        calendar = register.policies.calendar.rules
        working = WorkingTime(calendar, self._zone, self._special(calendar.holidays))
        return Timing(register.policies, working, self._zone, register.supervisors)

    def _special(self, country: str) -> Special:
        """An earlier program took any country; then its holidays are days like any other."""
        try:
            return self._holidays.special(country)
        except ValueError as error:
            logger.warning("the calendar's holidays: %s", error)
            return NoHolidays().special(country)

    def _in_time(
        self, timing: Timing, decide: Decide[Lead], lead: Lead, held: Held
    ) -> Course[Lead]:
        if lead.erased_at:
            raise Erased
        now = self._clock.now()
        if is_behind(lead, now):
            raise Behind
        return follow_through(lead, decide(lead, held), now=now, timing=timing)
