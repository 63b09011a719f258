"""A leaver's open leads go to others, all of them, in one go (R102, R103).

Each lead is a command of its own, named after the version of the lead that it decides upon: what
was interrupted is taken up by asking again, and what was handed over already is left alone. One
that cannot be passed on stops none of the others.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import NamedTuple
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from pydantic import ConfigDict

from aggregates.event import Event, Meta
from aggregates.lead.assign import hand_over
from aggregates.lead.choice import Choice, Chooser
from aggregates.lead.state import Lead
from aggregates.refusal import Refusal
from aggregates.values import local_date
from commands.caller import Caller
from commands.fields import Command, Name, Note, example
from commands.lead.ownership import named
from commands.loop import CommandLoop, Contended, Intent, by_state
from commands.ports import Clock, Workloads
from commands.register import Registry
from commands.tally import Tally

COMMANDS = UUID("4be1b7a6-0c53-4f0d-8c2e-5c1f6f0d7a92")
PAGE = 500


class HandOverPerson(Command):
    """Pass all open leads of a person on, such as a leaver's (R102, R103)."""

    model_config = ConfigDict(json_schema_extra=example(to="by-rule", reason="离职交接"))

    to: Name
    """Another person's name, or `by-rule`."""
    reason: Note | None = None


class Left(NamedTuple):
    """A lead that stays where it is, and why."""

    lead: Lead
    why: Refusal | Contended


class HandedOver(NamedTuple):
    """How many leads changed hands, and which could not."""

    number: int
    left: Sequence[Left]


class HandOvers:
    """Hands leads over as whoever asks for it; loads count from one lead to the next."""

    def __init__(
        self,
        loop: CommandLoop[Lead],
        registry: Registry,
        workloads: Workloads,
        clock: Clock,
        zone: ZoneInfo,
    ) -> None:
        self._loop, self._registry, self._workloads = loop, registry, workloads
        self._clock, self._zone = clock, zone

    async def of_person(
        self, person: str, to: str | None, caller: Caller, reason: str | None = None
    ) -> HandedOver:
        """Hand every open lead of a person over to another one, or by rule (None).

        Left are those that nobody is free for by rule, or that others keep changing. Raises Refusal
        when the other may own no leads, Unavailable when it cannot go on: ask again.
        """
        register = await self._registry.latest()
        workload = await self._workloads.up_to_now()
        given = named(register.people, to, "to") if to else None
        rules, now = register.policies.assignment, self._clock.now()
        day = local_date(now, self._zone)
        chooser = Chooser(rules.rules, rules.ref, register.people, register.teams, day)
        tally, number, after = Tally(), 0, None
        left: list[Left] = []
        tally.reflect(workload)
        while page := await self._workloads.owned_by((person,), after, PAGE):
            leads = await asyncio.gather(*map(self._loop.read, page))
            work: list[Awaitable[bool | Left]] = []
            for lead in leads:
                if lead.owner != person or to == person or not lead.unfinished:
                    continue
                choice = given or chooser.choose(lead.profile, tally.loads, without=person)
                if choice.owner:
                    tally.give(lead.id, choice.owner)
                work.append(self._pass_on(lead, choice, caller, reason))
            done = await _all(work)
            left += (one for one in done if isinstance(one, Left))
            number += done.count(True)
            after = page[-1]
        return HandedOver(number, left)

    async def _pass_on(
        self, lead: Lead, choice: Choice, caller: Caller, reason: str | None
    ) -> bool | Left:
        owner = lead.owner

        def decide(current: Lead) -> Sequence[Event]:
            """Somebody may have been faster: then it is no lead of theirs any more."""
            if current.owner != owner or not current.unfinished:
                return []
            return hand_over(current, now=self._clock.now(), choice=choice, reason=reason)

        command = uuid5(COMMANDS, f"{lead.id}/{lead.version}")
        meta = Meta(caller.actor, command, caller.correlation_id, caller.causation_id)
        try:
            reply = await self._loop.run(Intent(lead.id, by_state(decide), meta, b""))
        except (Refusal, Contended) as why:
            return Left(lead, why)
        return reply.position is not None and not reply.repeated


async def _all(work: Sequence[Awaitable[bool | Left]]) -> list[bool | Left]:
    """What came of each; when one fails, only after the others have ended."""
    done = await asyncio.gather(*work, return_exceptions=True)
    for error in (one for one in done if isinstance(one, BaseException)):
        raise error
    return [one for one in done if not isinstance(one, BaseException)]
