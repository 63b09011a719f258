"""The life of one lead of the simulated company, from its arrival to wherever it ends.

A story is valid by construction: its commands would be accepted in this order. What a person
records late is in order too, with the time of the contact beside it.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from zoneinfo import ZoneInfo

from adapters.demo import company as c
from adapters.demo import words as w
from adapters.demo.customers import customer
from adapters.demo.hours import at_work
from aggregates.lead.state import PIPELINE
from commands.fields import Command
from commands.lead import outcome, ownership, work

NEED, PROPOSAL, NEGOTIATION = PIPELINE[3:6]
LONGEST = 20_000.0  # days: what lies so far ahead is behind every end

T = TypeVar("T", c.Source, c.Industry, c.Team)


@dataclass(frozen=True, slots=True)
class Step:
    """One command on one lead: when somebody gives it, and who."""

    at: datetime
    lead: int
    actor: str
    command: Command

    @property
    def key(self) -> str:
        """Its idempotency key, so that a plan may be carried out twice."""
        return f"demo-{self.lead}-{self.at:%Y%m%dT%H%M%S}-{type(self.command).__name__}"


@dataclass(frozen=True, slots=True)
class Times:
    """The simulated time, and the company's zone."""

    start: datetime
    end: datetime
    zone: ZoneInfo

    def has_left(self, rep: c.Rep, at: datetime) -> bool:
        """Whether somebody has left the company by then."""
        return rep.leaves is not None and at >= self.start + (self.end - self.start) * rep.leaves


@dataclass(slots=True)
class _Story:
    """A lead's life while it is being written."""

    rng: random.Random
    times: Times
    lead: int
    at: datetime
    rep: c.Rep
    steps: list[Step] = field(default_factory=list)

    def say(self, command: Command, actor: str | None = None) -> None:
        self.steps.append(Step(self.at, self.lead, actor or f"user:{self.rep.name}", command))

    def supervised(self, command: Command) -> None:
        self.say(command, f"user:{self.rep.team.supervisor}")

    def later(self, days: float, spread: float = 0.6) -> None:
        """Let about so many days pass, to an hour at which the owner works."""
        passed = min(self.rng.lognormvariate(math.log(days), spread), LONGEST)
        then = self.at + timedelta(days=passed)
        self.at = at_work(then, self.times.zone, self.rng, weekends=self.rep.weekends)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability


def life(rng: random.Random, lead: int, at: datetime, times: Times) -> Sequence[Step]:
    """All that happens to a lead that arrives at `at`, in order of time."""
    source, industry = weighted(rng, c.SOURCES), weighted(rng, c.INDUSTRIES)
    team = weighted(rng, c.TEAMS)
    present = [r for r in c.REPS if r.team is team and not times.has_left(r, at)]
    story = _Story(rng, times, lead, at, rng.choice(present))
    by_form = source.name == "官网注册"
    story.say(
        customer(rng, source, industry, team),
        "process:website-form" if by_form else f"user:{c.MARKETING}",
    )
    if story.chance(0.02):
        return story.steps  # nobody took it
    story.at += timedelta(minutes=round(rng.lognormvariate(3.5, 1)))
    story.say(ownership.AssignLead(owner=story.rep.name, team=team.name), f"user:{c.MARKETING}")
    if _reached(story) and (story.chance(0.8) or _lost_and_found(story)):
        _pursued(story, industry, 0.58 * source.appeal * story.rep.closing)
    return story.steps


def _reached(story: _Story) -> bool:
    """The first contact, after some attempts; False when nobody can be reached."""
    story.later(story.rep.hours / 24, 0.8)
    if story.chance(0.03):
        _attempt(story, "wrong_number", w.WRONG_NUMBER)
        story.say(outcome.InvalidateLead(reason=w.BAD_CONTACT))
        return False
    while story.chance(0.35):
        _attempt(story, *story.rng.choice(w.SILENCE))
        story.later(0.8)
    _talk(story)
    return True


def _lost_and_found(story: _Story) -> bool:
    """The lead is marked invalid; True when it comes back."""
    story.later(6)
    story.say(outcome.InvalidateLead(reason=story.rng.choice(w.LOST)))
    if story.chance(0.9):
        return False
    story.later(12)
    story.supervised(outcome.ReopenLead(reason="客户主动再次咨询"))
    story.later(1)
    _talk(story)
    return True


def _pursued(story: _Story, industry: c.Industry, chance: float) -> None:
    """Stage after stage, sometimes back, sometimes in other hands, until it ends somewhere."""
    for stage in (NEED, PROPOSAL, NEGOTIATION):
        if not story.chance(0.55 + 0.45 * min(chance, 1)):
            return _fading(story)
        story.later(industry.pace)
        _talk(story, stage)
        while story.chance(0.5):
            story.later(industry.pace / 3)
            _talk(story)
        if stage == PROPOSAL and story.chance(0.12):
            _set_back(story, industry.pace)
    story.later(industry.pace)
    if story.chance(chance):
        _won(story, industry)
    elif story.chance(0.6):
        story.say(outcome.InvalidateLead(reason=story.rng.choice(w.LOST)))
    return None


def _fading(story: _Story) -> None:
    """Fewer and fewer answers; in the end it is cleaned up, or stays open."""
    for days in (6, 10, 16, 25):
        story.later(days)
        if story.chance(0.4):
            _talk(story)
        else:
            _attempt(story, *story.rng.choice(w.SILENCE))
    if story.chance(0.5):
        story.later(20)
        reason, note = w.SILENT
        story.say(outcome.InvalidateLead(reason=reason, note=note))


def _set_back(story: _Story, pace: float) -> None:
    story.later(pace)
    story.say(work.AdvanceLead(stage=NEED, reason=story.rng.choice(w.SETBACKS)))
    story.later(pace)
    story.say(work.AdvanceLead(stage=PROPOSAL))


def _won(story: _Story, industry: c.Industry) -> None:
    """Signed; some enter it a few days later, a few have to take it back."""
    signed = story.at
    if story.chance(story.rep.late_entry):
        story.later(1.5, 0.4)
    amount = Decimal(round(story.rng.lognormvariate(math.log(industry.deal), 0.5), -2))
    story.say(outcome.ConvertLead(converted_at=signed, amount=amount))
    if story.chance(0.03):
        story.later(4)
        story.supervised(outcome.ReverseConversion(reason="合同作废,客户要求重签"))
        if story.chance(0.6):
            story.later(3)
            story.say(outcome.ConvertLead(amount=amount))


def _attempt(story: _Story, outcome: str, content: str) -> None:
    """Nobody answered."""
    _in_good_hands(story)
    story.say(
        work.RecordFollowUp.model_validate(
            {"method": "电话沟通", "outcome": outcome, "content": content}
        )
    )


def _talk(story: _Story, stage: str | None = None) -> None:
    """A contact, by some recorded a day or two after it took place."""
    _in_good_hands(story)
    happened = story.at
    if story.chance(story.rep.late_entry):
        story.later(1.2, 0.3)
    content, feedback, step = story.rng.choice(w.TALKS)
    due = story.at + timedelta(days=story.rng.randint(1, 7))
    story.say(
        work.RecordFollowUp(
            occurred_at=happened,
            method=story.rng.choices(*w.METHODS)[0],
            content=content,
            feedback=feedback,
            next_step=step,
            next_step_due=due.astimezone(story.times.zone).date(),
            stage=stage,
        )
    )


def _in_good_hands(story: _Story) -> None:
    """Another takes over from one who has left, and sometimes from one who is away."""
    left = story.times.has_left(story.rep, story.at)
    if not left and not story.chance(0.012):
        return
    colleagues = [
        r
        for r in c.REPS
        if r.team is story.rep.team and r is not story.rep and not story.times.has_left(r, story.at)
    ]
    story.rep = story.rng.choice(colleagues)
    reason = "离职交接" if left else "负责人休假"
    story.supervised(
        ownership.AssignLead(owner=story.rep.name, team=story.rep.team.name, reason=reason)
    )
    story.later(0.5)


def weighted(rng: random.Random, choices: Sequence[T]) -> T:
    """One of the choices by their share."""
    return rng.choices(choices, [choice.share for choice in choices])[0]
