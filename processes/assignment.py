"""Finds an owner for every lead that needs one, by the company's rules (R6-R8, R31-R35, R43, R44).

What is to be done stands in the read model `workload`: the leads that need an owner, the longest
waiting first. So nothing is forgotten, whatever the reason it waited for, and a restart has nothing
to restore. A choice is made from the lead as it is now and carried out only if the lead still
awaits it; the command's id follows from the version of the lead that it decides upon, so however
many try, each version is decided upon once.

Whom the rules find nobody for is tried again as soon as people, rules, the day or loads change.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from aggregates.event import Meta
from aggregates.lead.assign import assign_by_rule, awaits_assignment
from aggregates.lead.choice import Choice, Chooser, Load
from aggregates.lead.state import Lead
from aggregates.values import local_date
from commands.loop import CommandLoop, Intent, by_state
from commands.ports import Clock, Waiting, Workloads
from commands.register import Register, Registry
from commands.tally import Tally

NAME = "assignment"
ACTOR = f"process:{NAME}"
COMMANDS = UUID("7d0f4c1e-2f5b-4a77-9a0e-6c1d8e3b5f24")
PAGE = 512
IN_FLIGHT = 128
AGAIN_SECONDS = 0.2
"""At least so long between two tries at the leads that nobody could be found for."""


class Assignment:
    """One holder of the lease at a time runs it; two do no harm."""

    def __init__(
        self,
        loop: CommandLoop[Lead],
        registry: Registry,
        workloads: Workloads,
        clock: Clock,
        zone: ZoneInfo,
        *,
        begin_at: int = 0,
    ) -> None:
        """`begin_at`: where the log stood when the lease was taken: older loads may lack what the
        holder before gave away.
        """
        self._loop, self._registry, self._workloads = loop, registry, workloads
        self._clock, self._zone, self._begin_at = clock, zone, begin_at
        self._tally = Tally()
        self._queue = _Queue()
        self._in_flight = asyncio.Semaphore(IN_FLIGHT)

    async def step(self) -> bool:
        """Deal with a page of waiting leads; False when there is nothing to do for now.

        Raises Unavailable; what was under way then is found done or undone by the next holder.
        """
        register = await self._registry.latest()
        workload = await self._workloads.current()
        if not _is_set_up(register) or workload.position < self._begin_at:
            return False
        self._tally.reflect(workload)
        now = local_date(self._clock.now(), self._zone)
        if not self._queue.is_open((register.position, now), workload.loads):
            return False
        page = await self._workloads.waiting(self._queue.after, PAGE)
        await self._deal_with(page, register, now)
        return self._queue.turn(page)

    async def _deal_with(self, page: Sequence[Waiting], register: Register, day: date) -> None:
        own = register.policies.assignment
        chooser = Chooser(own.rules, own.ref, register.people, register.teams, day)
        fresh = [waiting for waiting in page if waiting.lead not in self._tally]
        leads = await asyncio.gather(*(self._loop.read(waiting.lead) for waiting in fresh))
        chosen: list[tuple[Lead, Choice]] = []
        for waiting, lead in zip(fresh, leads, strict=True):  # in order: each counts for the next
            if not awaits_assignment(lead, register.policies):
                self._queue.hold(waiting)
                continue
            choice = chooser.choose(lead.profile, self._tally.loads)
            if choice.owner:
                self._tally.give(lead.id, choice.owner)
            elif not choice.pool:
                self._queue.leave(waiting)
            self._loop.remember(lead.id, lead)
            chosen.append((lead, choice))
        await asyncio.gather(*(self._carry_out(*item, register) for item in chosen))

    async def _carry_out(self, lead: Lead, choice: Choice, register: Register) -> None:
        decide = partial(
            assign_by_rule, now=self._clock.now(), choice=choice, policies=register.policies
        )
        intent = Intent(lead.id, by_state(decide), Meta(ACTOR, command_id(lead)), b"")
        async with self._in_flight:
            reply = await self._loop.run(intent)
        if choice.owner:
            self._tally.settle(lead.id, reply.state.owner, reply.position)


class _Queue:
    """How far the waiting leads were gone through, and from where they are to be again.

    `hold`: the lead waits for something else than a person. `leave`: nobody is free for it.
    """

    def __init__(self) -> None:
        self.after = 0
        self._oldest_held: int | None = None
        self._oldest_left: int | None = None
        self._circumstances: object = None
        self._loads: Mapping[str, Load] = {}
        self._begun = 0.0
        self._ended = False

    def is_open(self, circumstances: object, loads: Mapping[str, Load]) -> bool:
        """Whether to go on now: where it ended, or from the oldest whose chances have changed."""
        others = circumstances != self._circumstances
        if not self._ended or not (others or loads != self._loads):
            return True
        oldest = [self._oldest_left, self._oldest_held if others else None]
        again = min((since for since in oldest if since is not None), default=None)
        if again is not None:
            if time.monotonic() < self._begun + AGAIN_SECONDS:
                return False
            self.after = again - 1
            self._oldest_left, self._begun, self._ended = None, time.monotonic(), False
            self._oldest_held = None if others else self._oldest_held
        self._circumstances, self._loads = circumstances, loads
        return True

    def turn(self, page: Sequence[Waiting]) -> bool:
        """Go on behind a page; False when it was the last for now."""
        if page:
            self.after = page[-1].since
        self._ended = len(page) < PAGE
        return not self._ended

    def hold(self, waiting: Waiting) -> None:
        """Look at it again when people, rules or the day change."""
        self._oldest_held = min(self._oldest_held or waiting.since, waiting.since)

    def leave(self, waiting: Waiting) -> None:
        """Look at it again when loads change too."""
        self._oldest_left = min(self._oldest_left or waiting.since, waiting.since)


def command_id(lead: Lead) -> UUID:
    """The name of the one decision upon a version of a lead."""
    return uuid5(COMMANDS, f"{lead.id}/{lead.version}")


def _is_set_up(register: Register) -> bool:
    """A company without sales people and rules of its own assigns by hand."""
    own = register.policies.assignment
    return own.ref.version > 1 or any(p.role == "sales" for p in register.people.values())
