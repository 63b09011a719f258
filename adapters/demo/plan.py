"""What happens to every lead of the simulated company, and when: pure, the same for a seed.

A plan is valid by construction: its commands would be accepted in this order from any company
that follows the brief's rules. Nothing in it lies behind the end of the simulation.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from adapters.demo import company as c
from aggregates.lead.state import PIPELINE
from commands import models as m

NEED, PROPOSAL, NEGOTIATION = PIPELINE[3:6]
OPENS, CLOSES = time(9), time(18, 30)

T = TypeVar("T", c.Source, c.Industry)


@dataclass(frozen=True, slots=True)
class Step:
    """One command on one lead: when somebody gives it, and who."""

    at: datetime
    lead: int
    actor: str
    command: m.Command


@dataclass(slots=True)
class _Story:
    """A lead's life while it is being written."""

    rng: random.Random
    zone: ZoneInfo
    lead: int
    at: datetime
    rep: c.Rep
    steps: list[Step]

    def say(self, command: m.Command, actor: str | None = None) -> None:
        self.steps.append(Step(self.at, self.lead, f"user:{actor or self.rep.name}", command))

    def later(self, days: float, spread: float = 0.6) -> None:
        """Let about so many days pass, to an hour at which people work."""
        passed = self.rng.lognormvariate(math.log(days), spread)
        self.at = _working(self.at + timedelta(days=passed), self.zone, self.rng)


def plan(seed: int, leads: int, start: datetime, end: datetime, zone: ZoneInfo) -> list[Step]:
    """All steps from `start` to `end`, in order of time."""
    rng = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    arrivals = sorted(_arrival(rng, start, end, zone) for _ in range(leads))
    steps = [
        step
        for lead, at in enumerate(arrivals)
        for step in _life(random.Random(f"{seed}/{lead}"), lead, at, zone)  # noqa: S311
        if step.at < end
    ]
    return sorted(steps, key=lambda step: (step.at, step.lead))


def _arrival(rng: random.Random, start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """Mostly on weekdays and in office hours, a little more every month."""
    while True:
        even = rng.random()
        at = start + (end - start) * (even + math.sqrt(even)) / 2
        local = at.astimezone(zone)
        likely = (0.35 if local.weekday() >= 5 else 1) * (1 if 8 <= local.hour < 21 else 0.12)
        if rng.random() < likely:
            return at.replace(microsecond=0)


def _life(rng: random.Random, lead: int, at: datetime, zone: ZoneInfo) -> Sequence[Step]:
    source, industry = _weighted(rng, c.SOURCES), _weighted(rng, c.INDUSTRIES)
    region = rng.choices(*c.REGIONS)[0]
    rep = rng.choice([r for r in c.REPS if r.region == region])
    story = _Story(rng, zone, lead, at, rep, [])
    story.say(_captured(rng, source, industry, region), actor="市场部")
    if rng.random() < 0.02:
        return story.steps  # nobody took it
    story.at += timedelta(minutes=rng.lognormvariate(3.5, 1))
    story.say(m.AssignLead(owner=rep.name, team=rep.team), actor="市场部")
    _first_contact(story)
    if rng.random() < 0.22 and not _given_up(story):
        return story.steps
    _pursued(story, industry, 0.62 * source.appeal * rep.closing)
    return story.steps


def _first_contact(story: _Story) -> None:
    story.later(story.rep.hours / 24, 0.8)
    while story.rng.random() < 0.3:
        note = story.rng.choice(c.NO_ANSWER)
        story.say(m.RecordFollowUp(method="电话沟通", content=note, outcome="no_answer"))
        story.later(0.8)
    _talk(story)


def _given_up(story: _Story) -> bool:
    """The lead is marked invalid; True when it comes back."""
    story.later(6)
    story.say(m.InvalidateLead(reason=story.rng.choice(c.LOST)))
    if story.rng.random() > 0.08:
        return False
    story.later(12)
    story.say(m.ReopenLead(reason="客户主动再次咨询"), actor="主管")
    story.later(1)
    _talk(story)
    return True


def _pursued(story: _Story, industry: c.Industry, chance: float) -> None:
    """Stage after stage, sometimes back, sometimes in other hands, until it ends somewhere."""
    rng = story.rng
    for stage in (NEED, PROPOSAL, NEGOTIATION):
        if rng.random() > 0.55 + 0.45 * min(chance, 1):
            return
        story.later(industry.pace)
        if rng.random() < 0.04:
            _handed_over(story)
        _talk(story, stage)
        if stage == PROPOSAL and rng.random() < 0.1:
            story.later(industry.pace)
            story.say(m.AdvanceLead(stage=NEED, reason="客户调整需求,方案重做"))
            story.later(industry.pace)
            story.say(m.AdvanceLead(stage=PROPOSAL))
    story.later(industry.pace)
    if rng.random() < chance:
        _won(story, industry)
    elif rng.random() < 0.5:
        story.say(m.InvalidateLead(reason=rng.choice(c.LOST[2:])))


def _handed_over(story: _Story) -> None:
    others = [r for r in c.REPS if r.team == story.rep.team and r is not story.rep]
    story.rep = story.rng.choice(others)
    owner, team = story.rep.name, story.rep.team
    story.say(m.AssignLead(owner=owner, team=team, reason="负责人休假"), actor="主管")
    story.later(0.5)


def _talk(story: _Story, stage: str | None = None) -> None:
    """A contact, by some recorded a day or two after it took place."""
    rng = story.rng
    happened = None
    if rng.random() < story.rep.late_entry:
        happened = story.at
        story.later(1.2, 0.3)
    content, feedback, step = rng.choice(c.TALKS)
    due = (story.at + timedelta(days=rng.randint(1, 7))).astimezone(story.zone).date()
    story.say(
        m.RecordFollowUp(
            occurred_at=happened,
            method=rng.choices(c.METHODS, (6, 2, 1, 2))[0],
            content=content,
            feedback=feedback,
            next_step=step,
            next_step_due=due,
            stage=stage,
        )
    )


def _won(story: _Story, industry: c.Industry) -> None:
    amount = Decimal(round(story.rng.lognormvariate(math.log(industry.deal), 0.5), -2))
    story.say(m.ConvertLead(amount=amount))
    if story.rng.random() < 0.02:
        story.later(4)
        story.say(m.ReverseConversion(reason="合同作废,客户要求重签"), actor="主管")
        if story.rng.random() < 0.6:
            story.later(3)
            story.say(m.ConvertLead(amount=amount))


def _captured(
    rng: random.Random, source: c.Source, industry: c.Industry, region: str
) -> m.CaptureLead:
    name = rng.choice(c.COMPANIES) + rng.choice(c.COMPANIES) + rng.choice(c.KINDS)
    return m.CaptureLead(
        customer=f"{region}{name}",
        contact=rng.choice(c.SURNAMES) + rng.choice(("先生", "女士")),
        contact_title=rng.choice(c.TITLES) or None,
        phone=f"139{rng.randrange(10**8):08d}" if rng.random() < 0.95 else None,
        email=f"buyer{rng.randrange(10**6)}@example.cn" if rng.random() < 0.5 else None,
        source=source.name,
        industry=industry.name,
        region=region,
        customer_type=rng.choices(*c.CUSTOMER_TYPES)[0],
        campaign=rng.choice(c.CAMPAIGNS) if rng.random() < 0.4 else None,
        need=industry.need.format(n=rng.randrange(5, 300)),
    )


def _working(at: datetime, zone: ZoneInfo, rng: random.Random) -> datetime:
    """The instant itself in office hours, else some time in the first hours of the next day."""
    local = at.astimezone(zone)
    while local.weekday() >= 5 or not OPENS <= local.time() <= CLOSES:
        morning = local.replace(hour=OPENS.hour, minute=0, second=0, microsecond=0)
        local = morning if local < morning else morning + timedelta(days=1)
        if local.weekday() < 5:
            local += timedelta(minutes=rng.uniform(1, 150))
    return local.astimezone(UTC).replace(microsecond=0)


def _weighted(rng: random.Random, choices: Sequence[T]) -> T:
    """One of the choices by their share."""
    return rng.choices(choices, [choice.share for choice in choices])[0]


def windows(steps: Sequence[Step], length: timedelta) -> Iterator[tuple[datetime, list[Step]]]:
    """The steps of each stretch of time that has some, with the instant at which it ends."""
    window: list[Step] = []
    ends: datetime | None = None
    for step in steps:
        if ends is None or step.at >= ends:
            if window and ends:
                yield ends, window
            window, ends = [], step.at + length
        window.append(step)
    if window and ends:
        yield ends, window
