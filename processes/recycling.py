"""Leads that their owners let lie return to the pool at midnight, where the pool policy says so.

Each is released at the first midnight of the company's zone at which it was quiet for the policy's
days and the policy was in force, however late that is noticed; the command is named after the
version of the lead, so that each version is released once.
"""

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from aggregates.event import Meta, PolicyRef
from aggregates.lead.recycle import recycle
from aggregates.lead.state import Lead
from aggregates.policy.activate import policy_id
from aggregates.policy.events import PolicyVersionActivated
from aggregates.review.periods import DAY, midnight
from aggregates.values import local_date
from commands.lead_loop import LeadLoop
from commands.loop import Intent, Reply, by_state
from commands.ports import EventLog
from commands.register import Register, Registry
from commands.reviewing import Quiet, Reviewing
from processes.gathering import all_of

ACTOR = "process:recycling"
COMMANDS = UUID("1f0c7a52-3f6d-4d0f-8a6e-9b2e5c7d4a10")
PAGE = 512


class Recycling:
    """A part of the periodic duties."""

    def __init__(
        self,
        loop: LeadLoop,
        log: EventLog,
        registry: Registry,
        reviewing: Reviewing,
        zone: ZoneInfo,
    ) -> None:
        self._loop, self._log, self._registry = loop, log, registry
        self._reviewing, self._zone = reviewing, zone
        self._activated: tuple[PolicyRef, datetime | None] | None = None

    async def carry_out(self, at: datetime) -> None:
        """Release what is to be released by the midnight `at`."""
        register = await self._registry.latest()
        days = register.policies.pool.rules.recycle_after_days
        if days is None:
            return
        idle, after = timedelta(days=days), None
        since = await self._in_force_since(register.policies.pool.ref)
        while page := await self._reviewing.idle(at - idle, after, PAGE):
            due = [(quiet.lead, self._first_midnight(quiet, idle, since)) for quiet in page]
            work = (self._send(lead, when, register) for lead, when in due if when <= at)
            await all_of(work, "a lead that lies idle is not released yet")
            after = page[-1]

    def _first_midnight(self, quiet: Quiet, idle: timedelta, since: datetime | None) -> datetime:
        due = quiet.since + idle
        due = max(due, since) if since else due
        day = local_date(due, self._zone)
        begins = midnight(day, self._zone)
        return begins if begins >= due else midnight(day + DAY, self._zone)

    async def _send(self, lead: UUID, at: datetime, register: Register) -> Reply[Lead]:
        state = await self._loop.read(lead)
        self._loop.remember(lead, state)
        decide = by_state(partial(recycle, at=at, rules=register.policies.pool))
        meta = Meta(ACTOR, uuid5(COMMANDS, f"{lead}/{state.version}"))
        return await self._loop.run(Intent(lead, decide, meta, b""))

    async def _in_force_since(self, ref: PolicyRef) -> datetime | None:
        """Since when the rules are; a lead is not released ahead of that."""
        if self._activated is None or self._activated[0] != ref:
            events = await self._log.load(policy_id(ref.kind))
            found = (
                event.occurred_at
                for event in events
                if isinstance(event, PolicyVersionActivated) and event.version == ref.version
            )
            self._activated = ref, next(found, None)
        return self._activated[1]
