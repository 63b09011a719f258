"""No open lead stays with somebody who has left, or may own none any more (R102, R103).

A leaver's leads are handed over before they leave. But a lead may come to them afterwards: it is
reopened, unmerged, its conversion is taken back, or another process gave it to them before it heard
of it. The read model `workload` shows such leads, and the rules find another owner for each.
"""

import time
from collections.abc import Sequence
from functools import partial
from uuid import UUID, uuid5

from aggregates.directory.owners import has_gone
from aggregates.event import Event, Meta
from aggregates.lead.assign import hand_over
from aggregates.lead.choice import Choice, Chooser
from aggregates.lead.state import Lead
from commands.loop import CommandLoop, Intent, Reply, by_state
from commands.ports import Clock, Workload, Workloads
from commands.register import Register
from commands.tally import Tally
from processes.gathering import all_of

COMMANDS = UUID("0a5c1e5d-6a0b-4a43-9e0e-3f1b7f6c2d18")
OWNER_LEFT = "owner left"
UNDONE = "a lead whose owner has left cannot be handed over yet"
PAGE = 512
AGAIN_SECONDS, PATIENCE_SECONDS = 0.2, 5.0
"""At least so long between two looks; the longer one while a lead could not be handed over."""


class LeftBehind:
    """A part of the assignment process. `actor`: as whom it hands over."""

    def __init__(
        self, loop: CommandLoop[Lead], workloads: Workloads, clock: Clock, actor: str
    ) -> None:
        self._loop, self._workloads, self._clock, self._actor = loop, workloads, clock, actor
        self._seen: object = None
        self._not_before = 0.0

    async def hand_over(
        self, chooser: Chooser, tally: Tally, register: Register, workload: Workload
    ) -> None:
        """Hand over all that can be, where something has changed since the last look.

        Loads count in `tally`. Raises Unavailable.
        """
        gone = frozenset(name for name, p in register.people.items() if has_gone(p))
        seen = (register.position, workload.position)
        if not gone or seen == self._seen or time.monotonic() < self._not_before:
            return
        after, all_done = None, True
        while page := await self._workloads.owned_by(gone, after, PAGE):
            reads = await all_of(
                (self._loop.read(lead) for lead in page if lead not in tally), UNDONE
            )
            leads = [lead for lead in reads if lead]
            done = await self._deal_with(leads, gone, chooser, tally)
            all_done = all_done and done and len(leads) == len(reads)
            after = page[-1]
        self._seen = seen if all_done else None
        self._not_before = time.monotonic() + (AGAIN_SECONDS if all_done else PATIENCE_SECONDS)

    async def _deal_with(
        self, leads: Sequence[Lead], gone: frozenset[str], chooser: Chooser, tally: Tally
    ) -> bool:
        """Whether all of these leads are with somebody else now."""
        chosen: list[tuple[Lead, Choice]] = []
        left = [x for x in leads if x.owner in gone and x.unfinished]
        for lead in left:  # in order: each counts for the next
            choice = chooser.choose(lead.profile, tally.loads, without=lead.owner)
            if choice.owner:
                tally.give(lead.id, choice.owner)
            if choice.found:
                chosen.append((lead, choice))
        replies = await all_of((self._send(*item) for item in chosen), UNDONE)
        for (lead, choice), reply in zip(chosen, replies, strict=True):
            if choice.owner:
                owner, position = (reply.state.owner, reply.position) if reply else (None, None)
                tally.settle(lead.id, owner, position)
        return len(left) == len([reply for reply in replies if reply])

    async def _send(self, lead: Lead, choice: Choice) -> Reply[Lead]:
        decide = partial(self._decide, owner=lead.owner, choice=choice)
        command = uuid5(COMMANDS, f"{lead.id}/{lead.version}")
        return await self._loop.run(
            Intent(lead.id, by_state(decide), Meta(self._actor, command), b"")
        )

    def _decide(self, lead: Lead, *, owner: str | None, choice: Choice) -> Sequence[Event]:
        """Somebody may have been faster: then it is no lead of theirs any more."""
        if lead.owner != owner or not lead.unfinished:
            return []
        return hand_over(lead, now=self._clock.now(), choice=choice, reason=OWNER_LEFT)
