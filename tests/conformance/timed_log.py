"""A log in memory of leads on which time acts, told as the command loop tells it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID, uuid5

from aggregates.event import Event, Meta
from aggregates.lead.evolve import fold
from aggregates.lead.expire import expire
from aggregates.lead.follow_through import follow_through
from aggregates.lead.state import Lead
from aggregates.policy.book import Policies
from aggregates.refusal import Refusal
from commands.lead_loop import DEADLINES
from tests.checker_fold import Fact
from tests.sealed import in_clear
from tests.unit.lead.timed import (
    Decision,
    assigned,
    captured,
    claimed,
    contact,
    given_up,
    going_on,
    labelled,
    merged,
    moved,
    paused,
    pooled,
    taken_back,
    taken_up,
    timing_by,
    told,
    unmerged,
    won,
)

COMMANDS = UUID(int=1)
FIRST: Sequence[Decision] = (
    captured("high"), captured("medium"), captured("low", "chen"), captured("unrated", "li"),
    captured("high", "chen", contact_title=""), captured("medium", contact_title=""),
)  # fmt: skip
LATER: Sequence[Decision] = (
    *(assigned(name) for name in ("chen", "chen", "li", "wu")), pooled, claimed("wu"),
    labelled("high"), labelled("medium"), labelled("low"),
    contact(), *(contact(connected=False) for _ in range(6)),
    moved("方案提交"), moved("商务谈判"), contact(stage="方案提交"),
    contact(connected=False, stage="方案提交"),
    told(contact_title=""), told(contact_title="经理"), told(industry=""),
    going_on, given_up, won, merged, *([taken_up, taken_back, unmerged] * 3),
)  # fmt: skip


class TimedLog:
    """Facts as the log would hold them, in its order."""

    def __init__(self, policies: Policies) -> None:
        self.facts: list[Fact] = []
        self._timing = timing_by(policies)
        self._leads: dict[UUID, Lead] = {}

    def give(self, lead: UUID, now: datetime, decide: Decision) -> None:
        """A command on a lead, which may be refused."""
        self.sweep(lead, now)
        state = self._lead(lead)
        try:
            decided = decide(state, now)
        except Refusal:
            return
        if decided:
            course = follow_through(state, decided, now=now, timing=self._timing)
            self._append(lead, now, course.events, "user:wang")

    def sweep(self, lead: UUID, now: datetime) -> None:
        """What is due on a lead is recorded."""
        if due := expire(self._lead(lead), now=now, timing=self._timing):
            self._append(lead, now, due, DEADLINES)

    def sweep_all(self, now: datetime) -> None:
        for lead in self._leads:
            self.sweep(lead, now)

    def _lead(self, lead: UUID) -> Lead:
        return self._leads.get(lead) or Lead(lead)

    def _append(self, lead: UUID, now: datetime, events: Sequence[Event], actor: str) -> None:
        state = self._lead(lead)
        meta = Meta(actor, uuid5(COMMANDS, f"{lead}/{state.version}"))
        for version, event in enumerate(events, state.version + 1):
            data = in_clear(event, meta)
            position = len(self.facts) + 1
            self.facts.append(Fact(position, lead, version, now, event.topic, data))
        self._leads[lead] = fold(state, events)


def random_log(rng: Random, policies: Policies, start: datetime, leads: int) -> TimedLog:
    """Leads that people work on for some weeks, swept now and then, and at last."""
    log, now = TimedLog(policies), start
    streams = [UUID(int=rng.getrandbits(128)) for _ in range(leads)]
    captures = [(lead, rng.choice(FIRST)) for lead in streams]
    for lead, decide in captures:
        now += timedelta(seconds=rng.randrange(20_000) * rng.randrange(2))
        log.give(lead, now, decide)
    for _ in range(leads * 12):
        now += timedelta(seconds=rng.choice((0, 0, 1, 600, 3600, 7200, rng.randrange(100_000))))
        log.give(rng.choice(streams), now, _decision(rng, now))
        if rng.random() < 0.1:
            log.sweep_all(now)
    log.sweep_all(now + timedelta(days=200))
    return log


def _decision(rng: Random, now: datetime) -> Decision:
    """One of LATER, or one of which the time is part: a pause, a contact of before, a plan."""
    some = timedelta(seconds=rng.randrange(1, 500_000))
    match rng.randrange(10):
        case 0 | 1:
            return paused(now + some if rng.random() < 0.8 else None)
        case 2:
            return contact(now - some, connected=rng.random() < 0.3)
        case 3:
            return contact(
                now - some, connected=rng.random() < 0.3, stage=rng.choice(("方案提交", "商务谈判"))
            )
        case 4:
            day: date = (now + timedelta(days=rng.randrange(-1, 8))).date()
            return contact(connected=rng.random() < 0.3, next_step_due=day)
        case _:
            return rng.choice(LATER)
