"""Finds an owner for every lead that needs one, by the company's rules (R6-R8, R31-R35, R43, R44).

What is to be done stands in the read model `workload`: the leads that need an owner, the longest
waiting first. So nothing is forgotten, whatever the reason it waited for, and a restart has nothing
to restore. A choice is made from the lead as it is now and carried out only if the lead still
awaits it; the command's id follows from the version of the lead that it decides upon, so however
many try, each version is decided upon once.

Leads that came since are dealt with before those that were there. Whom the rules find nobody for is
tried again as soon as people, rules, the day or loads change, which costs a question for each kind
of lead, however many there are. A lead that fails is tried again later and holds up no other.
"""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from aggregates.event import Meta
from aggregates.lead.assign import assign_by_rule, awaits_assignment, waits_by
from aggregates.lead.choice import Choice, Chooser, Kind, kind_of, profile_of
from aggregates.lead.state import Lead
from aggregates.review.periods import DAY, midnight
from aggregates.values import local_date
from commands.loop import CommandLoop, Intent, Reply, by_state
from commands.ports import Clock, Waiting, Workload, Workloads
from commands.register import Register, Registry
from commands.tally import Tally
from processes.backlog import Backlog, Retries
from processes.gathering import each_of
from processes.left_behind import LeftBehind

NAME = "assignment"
ACTOR = f"process:{NAME}"
COMMANDS = UUID("7d0f4c1e-2f5b-4a77-9a0e-6c1d8e3b5f24")
PAGE = 512
AGAIN = timedelta(seconds=0.2)
"""At least so long between two tries at the leads that nobody could be found for."""

logger = logging.getLogger("leadlog.processes")


class _Chosen(NamedTuple):
    """A choice for a lead, to be carried out."""

    waiting: Waiting
    lead: Lead
    choice: Choice


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
        self._tally, self._backlog, self._retries = Tally(), Backlog(), Retries()
        self._left_behind = LeftBehind(loop, workloads, clock, ACTOR)
        self._queue: _Queue | None = None
        self._waits_by: object = None
        self._circumstances: object = None
        self._passed = datetime.min.replace(tzinfo=UTC)
        self._chances_changed = False

    async def step(self) -> bool:
        """Deal with a page of waiting leads; False when there is nothing to do for now.

        Raises Unavailable; what was under way then is found done or undone by the next holder.
        """
        register = await self._registry.latest()
        workload = await self._workloads.current()
        if not _is_set_up(register) or workload.position < self._begin_at:
            return False
        self._tally.reflect(workload)
        day = local_date(self._clock.now(), self._zone)
        own = register.policies.assignment
        chooser = Chooser(own.rules, own.ref, register.people, register.teams, day)
        await self._left_behind.hand_over(chooser, self._tally, register, workload)
        queue = self._queue_for(register, workload)
        page = await queue.page(self._workloads, workload.position)
        page = [*page, *self._retries.due(time.monotonic())]
        await self._carry_out(await self._choose(page, chooser, register), register)
        self._begin_pass(register, day, workload)
        await self._carry_out(await self._choose_again(chooser, register), register)
        return queue.goes_on or self._backlog.is_passing

    async def next_at(self) -> datetime | None:
        """When those that nobody was free for are tried again; with another day people are back."""
        if not self._backlog:
            return None
        if self._chances_changed:
            return self._passed + AGAIN
        return midnight(local_date(self._clock.now(), self._zone) + DAY, self._zone)

    def _queue_for(self, register: Register, workload: Workload) -> "_Queue":
        """Where to go on; all that wait are looked at anew when what they wait by has changed."""
        waits_by_now = waits_by(register.policies)
        if self._queue is None or waits_by_now != self._waits_by:
            self._waits_by, self._backlog = waits_by_now, Backlog()
            self._queue = _Queue(self._queue.newest if self._queue else workload.position)
        return self._queue

    def _begin_pass(self, register: Register, day: date, workload: Workload) -> None:
        """Try those left over once more, if their chances have changed."""
        circumstances = (register.position, day, workload.loads)
        self._chances_changed, now = circumstances != self._circumstances, self._clock.now()
        over_soon = self._backlog.is_passing or self._passed <= now < self._passed + AGAIN
        if not over_soon and self._chances_changed:
            self._circumstances, self._passed, self._chances_changed = circumstances, now, False
            self._backlog.begin_pass()

    async def _choose(
        self, page: Sequence[Waiting], chooser: Chooser, register: Register
    ) -> list[_Chosen]:
        """Choices for leads in order: each counts for the next."""
        chosen = []
        fresh = {w.lead: w for w in page if w.lead not in self._tally}
        for waiting, lead in await self._read(list(fresh.values())):
            self._backlog.forget(lead.id)
            if not awaits_assignment(lead, register.policies):
                self._retries.forget(lead.id)
                continue
            choice = chooser.choose(lead.profile, self._tally.loads)
            if choice.owner:
                self._tally.give(lead.id, choice.owner)
            if not choice.found:
                self._backlog.leave(waiting, kind_of(lead.profile))
            if choice.found or not lead.explanation:
                chosen.append(_Chosen(waiting, lead, choice))
        return chosen

    async def _choose_again(self, chooser: Chooser, register: Register) -> list[_Chosen]:
        """Choices for leads that nobody was found for before; read only if there is somebody."""
        found: dict[UUID, tuple[Waiting, Kind, Choice]] = {}
        for _ in range(PAGE):
            if not (oldest := self._backlog.next()):
                break
            waiting, kind = oldest
            choice = chooser.choose(profile_of(kind), self._tally.loads)
            if not choice.found:
                self._backlog.close()
                continue
            self._backlog.take()
            found[waiting.lead] = waiting, kind, choice
            if choice.owner:
                self._tally.give(waiting.lead, choice.owner)
        chosen = []
        read = {lead.id: lead for _, lead in await self._read([w for w, *_ in found.values()])}
        for waiting, kind, choice in found.values():
            lead = read.get(waiting.lead)
            awaits = lead is not None and awaits_assignment(lead, register.policies)
            if lead is not None and awaits and kind_of(lead.profile) == kind:
                chosen.append(_Chosen(waiting, lead, choice))
            elif choice.owner:  # it failed, or has changed: then the read model brings it up anew
                self._settle(waiting.lead, None)
        if len(chosen) < len(found):
            self._backlog.begin_pass()  # the turns of these are for those behind them
        return chosen

    async def _read(self, page: Sequence[Waiting]) -> list[tuple[Waiting, Lead]]:
        """These leads, but for those that cannot be read."""
        leads = await each_of(self._loop.read(waiting.lead) for waiting in page)
        read = []
        for waiting, lead in zip(page, leads, strict=True):
            if isinstance(lead, Exception):
                self._put_off(waiting, lead)
            else:
                read.append((waiting, lead))
        return read

    async def _carry_out(self, chosen: Sequence[_Chosen], register: Register) -> None:
        replies = await each_of(self._send(lead, choice, register) for _, lead, choice in chosen)
        for (waiting, lead, choice), reply in zip(chosen, replies, strict=True):
            if choice.owner:
                self._settle(lead.id, None if isinstance(reply, Exception) else reply)
            if isinstance(reply, Exception):
                self._put_off(waiting, reply)
            else:
                self._retries.forget(lead.id)

    def _settle(self, lead: UUID, reply: Reply[Lead] | None) -> None:
        """What came of a lead that was given to somebody. If it is not theirs, others may be."""
        owner, position = (reply.state.owner, reply.position) if reply else (None, None)
        self._tally.settle(lead, owner, position)
        if lead not in self._tally:
            self._circumstances = None

    async def _send(self, lead: Lead, choice: Choice, register: Register) -> Reply[Lead]:
        decide = partial(
            assign_by_rule,
            now=self._clock.now(),
            choice=choice,
            policies=register.policies,
            supervisors=register.supervisors,
        )
        self._loop.remember(lead.id, lead)
        intent = Intent(lead.id, by_state(decide), Meta(ACTOR, command_id(lead)), b"")
        return await self._loop.run(intent)

    def _put_off(self, waiting: Waiting, error: Exception) -> None:
        """Try a lead that failed later, by itself."""
        pause = self._retries.add(waiting, time.monotonic())
        logger.warning("lead %s is not assigned, again in %.0f s: %r", waiting.lead, pause, error)


class _Queue:
    """How far the waiting leads were gone through: the new ones, and behind them those that were
    there at `newest`, a position of the log, when it began.
    """

    def __init__(self, newest: int) -> None:
        self.newest, self._until, self._after = newest, newest, 0
        self._more = False

    @property
    def goes_on(self) -> bool:
        """Whether there is more to look at now."""
        return self._more or self._after < self._until

    async def page(self, workloads: Workloads, position: int) -> Sequence[Waiting]:
        """The next leads, new ones first; as of a position, that of the loads: what came later
        may be about a lead that the tally still counts as given away.
        """
        found = await workloads.waiting(self.newest, PAGE)
        new = [waiting for waiting in found if waiting.since <= position]
        self._more = len(found) == PAGE or len(new) < len(found)
        if new:
            self.newest = new[-1].since
        if self._more or self._after >= self._until:
            return new
        room = PAGE - len(new)
        page = await workloads.waiting(self._after, room)
        old = [waiting for waiting in page if waiting.since <= self._until]
        self._after = old[-1].since if len(old) == room else self._until
        return [*new, *old]


def command_id(lead: Lead) -> UUID:
    """The name of the one decision upon a version of a lead."""
    return uuid5(COMMANDS, f"{lead.id}/{lead.version}")


def _is_set_up(register: Register) -> bool:
    """A company without sales people and rules of its own assigns by hand."""
    own = register.policies.assignment
    return own.ref.version > 1 or any(p.role == "sales" for p in register.people.values())
