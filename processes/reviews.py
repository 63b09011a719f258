"""Puts periods up for review: what was found, who is responsible, who is to hold it (R71, R100,
R103, R109, R110, R119).

Every week each team that has a supervisor gets a review of its own, and the company one of what
belongs to no such team, which the administrators hold; it is opened last, so that it says that all
of the week's are there. Months and quarters are the company's. The clean-up proposes leads first
and then opens a review wherever it proposed any.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from aggregates.event import Meta
from aggregates.lead.clean_up import propose
from aggregates.lead.state import Lead
from aggregates.review.events import ReviewOpened
from aggregates.review.periods import CLEAN_UP, WEEKLY, Duty, midnight
from aggregates.review.review import MOST_ITEMS, open_review
from aggregates.review.state import Review, evolve, review_id
from commands.lead_loop import LeadLoop
from commands.loop import CommandLoop, Intent, Reply, by_state
from commands.ports import EventLog
from commands.register import Register, Registry
from commands.reviewing import Found, Reviewing
from processes.gathering import all_of

ACTOR = "process:reviews"
OPENING = UUID("a3f1f7c2-5c0e-4a39-8d0c-4d6c8b1e2f90")
PROPOSING = UUID("c5b8e4d6-9f23-4f61-b6a7-0e8f2a7d3c15")
FINDINGS = ("late", "escalated", "overdue", "incomplete", "unowned", "paused", "proposed")
"""In the order in which a review shows them."""
UNOWNED = "unowned"
PAGE = 512


class Reviews:
    """A part of the periodic duties."""

    def __init__(
        self,
        loop: LeadLoop,
        log: EventLog,
        registry: Registry,
        reviewing: Reviewing,
        zone: ZoneInfo,
    ) -> None:
        self._leads, self._registry = loop, registry
        self._reviews = CommandLoop(log, Review, evolve)
        self._reviewing, self._zone = reviewing, zone

    async def are_open(self, duty: Duty) -> bool:
        """Whether the last review of the duty is there."""
        stream = review_id(duty.kind, None, duty.since)
        return (await self._reviews.read(stream)).opened is not None

    async def propose(self, duty: Duty) -> Sequence[UUID]:
        """Propose the leads of no use, each once for the month; those that failed."""
        register = await self._registry.latest()
        rules, teams = register.policies.clean_up.rules, supervised(register)
        after, failed = None, list[UUID]()
        while page := await self._reviewing.to_give_up(duty.at, duty.month, rules, after, PAGE):
            work = (self._propose(lead, duty, register, teams) for lead in page)
            replies = await all_of(work, "a lead is not proposed to be given up")
            failed += (lead for lead, reply in zip(page, replies, strict=True) if reply is None)
            after = page[-1]
        return failed

    async def open(self, duty: Duty, known: int) -> None:
        """Open every review of the duty; `known`: the last position recorded by its instant."""
        register = await self._registry.latest()
        teams = supervised(register) if duty.kind in (WEEKLY, CLEAN_UP) else ()
        for opened in reviews(duty, await self._found(duty, teams), teams, register, known):
            stream = review_id(duty.kind, opened.team, duty.since)
            meta = Meta(ACTOR, uuid5(OPENING, str(stream)))
            decide = by_state(partial(open_review, opened=opened))
            await self._reviews.run(Intent(stream, decide, meta, b""))

    async def _found(self, duty: Duty, teams: Sequence[str]) -> Sequence[Found]:
        if duty.kind == CLEAN_UP:
            return await self._reviewing.proposed(duty.month, teams)
        since, until = midnight(duty.since, self._zone), midnight(duty.until, self._zone)
        return await self._reviewing.lapses(since, until, teams)

    async def _propose(
        self, lead: UUID, duty: Duty, register: Register, teams: Sequence[str]
    ) -> Reply[Lead]:
        def decide(state: Lead) -> Sequence[Any]:
            team = state.profile.get("team")
            return propose(
                state,
                at=duty.at,
                month=duty.month,
                rules=register.policies.clean_up,
                supervisors=register.supervisors(team),
                review=review_id(CLEAN_UP, team if team in teams else None, duty.since),
            )

        meta = Meta(ACTOR, uuid5(PROPOSING, f"{duty.month}/{lead}"))
        return await self._leads.run(Intent(lead, by_state(decide), meta, b""))


def supervised(register: Register) -> Sequence[str]:
    """The teams whose supervisor is there, by name."""
    return [
        name
        for name, team in sorted(register.teams.items())
        if team.supervisor and register.supervisors(name) == (team.supervisor,)
    ]


def reviews(
    duty: Duty, found: Sequence[Found], teams: Sequence[str], register: Register, known: int
) -> Iterator[ReviewOpened]:
    """The reviews of a duty, that of the company last. A clean-up has none for a team of which
    nothing is proposed. Leads without owner and team are shown to every team: each may take them.
    """
    for team in (*teams, None):
        supervisors = register.supervisors(team)
        own = [f for f in found if f.team == team or (f.team is None and f.finding == UNOWNED)]
        if own or team is None or duty.kind == WEEKLY:
            yield _review(duty, team, supervisors, own, known)


def _review(
    duty: Duty, team: str | None, supervisors: tuple[str, ...], own: Sequence[Found], known: int
) -> ReviewOpened:
    counts: dict[str, int] = {}
    items: list[Mapping[str, Any]] = []
    for found in sorted(own, key=lambda f: FINDINGS.index(f.finding)):
        counts[found.finding] = counts.get(found.finding, 0) + found.number
        items += (_responsible(item, supervisors) for item in found.items)
    return ReviewOpened(
        occurred_at=duty.at,
        kind=duty.kind,
        team=team,
        since=duty.since,
        until=duty.until,
        supervisors=supervisors,
        position=known,
        counts=counts,
        items=tuple(items[:MOST_ITEMS]),
        total=sum(counts.values()),
    )


def _responsible(item: Mapping[str, Any], supervisors: tuple[str, ...]) -> Mapping[str, Any]:
    """The item with somebody named; for what nobody owns that is who holds the review."""
    return item if "responsible" in item else {**item, "responsible": next(iter(supervisors), None)}
