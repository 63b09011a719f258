"""Stories of a lead in which time passes: what was done when, and what rang meanwhile.

Told as the command loop carries leads on: what is due is recorded first, then the decision and
what follows from it. Instants are local ones of 2024 in Shanghai: `05-01 09:15`, with or without
seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from aggregates.event import Event
from aggregates.lead.assign import assign, release
from aggregates.lead.capture import Entry, capture
from aggregates.lead.claim import Claimant, claim
from aggregates.lead.close import invalidate, reopen
from aggregates.lead.convert import convert, reverse_conversion
from aggregates.lead.duplicates import merge, unmerge
from aggregates.lead.events import FollowUpRecorded, LeadCaptured, LeadResumed
from aggregates.lead.evolve import fold
from aggregates.lead.expire import expire
from aggregates.lead.follow_through import follow_through
from aggregates.lead.follow_up import record_follow_up
from aggregates.lead.info import complete_info
from aggregates.lead.label import override
from aggregates.lead.pause import pause, resume
from aggregates.lead.stage import advance
from aggregates.lead.state import Lead
from aggregates.lead.time_events import (
    EscalatedToSupervisor,
    FirstResponseBreached,
    InfoCompletionOverdue,
    TaskOverdue,
)
from aggregates.lead.timing import Timing
from aggregates.policy.book import Policies, cite
from aggregates.policy.ownership import PoolRules
from aggregates.policy.work import ConversionRules
from aggregates.refusal import Refusal
from aggregates.working_time import WorkingTime
from tests.unit.lead.given import CODE, LEAD

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
COMPLETE: Mapping[str, str] = {
    "customer": "A科技", "contact": "李某", "contact_title": "经理", "phone": "13912345678",
    "source": "官网注册", "industry": "教育", "need": "需要采购50台办公电脑",
}  # fmt: skip
SPECIAL = {date(2024, 5, day): False for day in range(1, 6)} | {
    date(2024, 4, 28): True,
    date(2024, 5, 11): True,
}
"""Labour Day 2024 in China: five days off, for a Sunday and a Saturday of work (调休)."""

E = TypeVar("E", bound=Event)
Decision = Callable[[Lead, datetime], Sequence[Event]]
BREACHED, ESCALATED, INCOMPLETE, OVERDUE, RESUMED = (
    "breached", "escalated", "incomplete", "overdue", "resumed",
)  # fmt: skip
_RINGS: Mapping[type[Event], str] = {
    FirstResponseBreached: BREACHED,
    EscalatedToSupervisor: ESCALATED,
    InfoCompletionOverdue: INCOMPLETE,
    TaskOverdue: OVERDUE,
}


def local(text: str) -> datetime:
    """The instant, UTC."""
    at = text if text[:2] == "20" else f"2024-{text}"
    return datetime.fromisoformat(at).replace(tzinfo=SHANGHAI).astimezone(UTC)


def shown(at: datetime | None) -> str:
    """The local time of 2024 or another year, to the second."""
    assert at is not None
    text = at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    return text.removeprefix("2024-").removesuffix(":00")


def _instant(when: str | datetime | None) -> datetime | None:
    return local(when) if isinstance(when, str) else when


def timing_by(policies: Policies) -> Timing:
    """The rules of time in Shanghai, where Wang is the supervisor of every team."""
    calendar = policies.calendar.rules
    working = WorkingTime(calendar, SHANGHAI, SPECIAL.get)
    return Timing(policies, working, SHANGHAI, lambda _: ("王芳",))


BUILT_IN = Policies()


def by_response(**rules: Any) -> Policies:
    """The rules built in, with another second version of those of the response time."""
    response = replace(BUILT_IN.response.rules, **rules)
    return BUILT_IN.with_version(response, cite("response", 2, response))


WORKING = by_response(clock="working")


@dataclass(frozen=True)
class Story:
    """What has happened to a lead so far; `new` is what the last step added."""

    policies: Policies = field(default_factory=Policies)
    events: tuple[Event, ...] = ()
    new: tuple[Event, ...] = ()

    @property
    def lead(self) -> Lead:
        """The folded lead."""
        return fold(Lead(LEAD), self.events)

    def at(self, when: str | datetime, decide: Decision) -> "Story":
        """Somebody does something at an instant."""
        now = local(when) if isinstance(when, str) else when
        behind = self.until(now)
        decided = decide(behind.lead, now)
        timing = timing_by(self.policies)
        events, _ = follow_through(behind.lead, decided, now=now, timing=timing)
        return behind._and(events, [*behind.new, *events])

    def tried(self, when: datetime, decide: Decision) -> "Story":
        """The same where it may be refused."""
        try:
            return self.at(when, decide)
        except Refusal:
            return self.until(when)

    def until(self, when: str | datetime) -> "Story":
        """Time passes up to an instant, and the sweep comes by."""
        now = local(when) if isinstance(when, str) else when
        due = expire(self.lead, now=now, timing=timing_by(self.policies))
        return self._and(due, due)

    def rang(self) -> list[str]:
        """What became due, in the order of the log: `breached 05-02 09:15`."""
        return [f"{_RINGS[type(e)]} {shown(e.occurred_at)}" for e in self.events
                if type(e) in _RINGS]  # fmt: skip

    def resumed(self) -> list[str]:
        """When pauses ended by themselves."""
        ends = [e for e in self.events if isinstance(e, LeadResumed) and e.by_clock]
        return [shown(e.occurred_at) for e in ends]

    def due(self, name: str) -> str:
        """When a clock of the lead is due."""
        return shown(self.lead.timers[name].due_at)

    def running(self) -> set[str]:
        """The clocks that there are."""
        return set(self.lead.timers)

    def added(self, cls: type[E]) -> list[E]:
        """The events of a type that the last step added."""
        return [event for event in self.new if isinstance(event, cls)]

    def _and(self, events: Sequence[Event], new: Sequence[Event]) -> "Story":
        return replace(self, events=(*self.events, *events), new=tuple(new))


def captured(level: str | None = None, owner: str | None = None, **values: str) -> Decision:
    """A lead is entered; complete but for the values that are changed to nothing."""
    return lambda lead, now: capture(
        lead,
        now=now,
        entry=Entry(CODE, {**COMPLETE, **values}, owner, "east" if owner else None, level),
        policies=BUILT_IN,
        same={},
    )


def assigned(owner: str) -> Decision:
    return lambda lead, now: assign(lead, now=now, owner=owner, team="east", reason=None)


def labelled(level: str) -> Decision:
    return lambda lead, now: override(lead, now=now, level=level, segment=None, reason=None)


def contact(
    at: str | datetime | None = None, *, connected: bool = True, **values: object
) -> Decision:
    """A contact with the customer, or an attempt; at the time of recording, or before it."""
    record = FollowUpRecorded(
        occurred_at=_instant(at),
        code="GJ20240501001",
        connected=connected,
        by="chen",
        content="客户对产品A感兴趣,要求案例",
        feedback="需要报价单",
        **values,  # type: ignore[arg-type]
    )
    return lambda lead, now: record_follow_up(
        lead,
        now=now,
        record=record,
        quality=BUILT_IN.follow_up,
        pipeline=BUILT_IN.pipeline.rules,
    )


def moved(stage: str) -> Decision:
    return lambda lead, now: advance(
        lead, now=now, stage=stage, reason=None, pipeline=BUILT_IN.pipeline.rules
    )


def paused(until: str | datetime | None = None, reason: str = "预算未批") -> Decision:
    return lambda lead, now: pause(
        lead,
        now=now,
        zone=SHANGHAI,
        reason=reason,
        resume_at=_instant(until),
        rules=BUILT_IN.pause.rules,
    )


def going_on(lead: Lead, now: datetime) -> Sequence[Event]:
    return resume(lead, now=now, reason=None)


def given_up(lead: Lead, now: datetime) -> Sequence[Event]:
    return invalidate(lead, now=now, reason="无需求", note=None, reasons=("无需求",))


def taken_up(lead: Lead, now: datetime) -> Sequence[Event]:
    return reopen(lead, now=now, reason=None)


def won(lead: Lead, now: datetime) -> Sequence[Event]:
    return convert(
        lead, now=now, zone=SHANGHAI, converted_at=None, amount=None, basis="contract_signed",
        rules=ConversionRules(),
    )  # fmt: skip


def taken_back(lead: Lead, now: datetime) -> Sequence[Event]:
    return reverse_conversion(lead, now=now, reason="合同撤回")


def merged(lead: Lead, now: datetime) -> Sequence[Event]:
    other = fold(Lead(UUID(int=2)), [LeadCaptured(occurred_at=now, code="XLSH20240501002")])
    return merge(lead, other, now=now, reason=None)


def unmerged(lead: Lead, now: datetime) -> Sequence[Event]:
    return unmerge(lead, now=now, reason=None)


def pooled(lead: Lead, now: datetime) -> Sequence[Event]:
    return release(lead, now=now, pool="公海", reason=None)


def claimed(owner: str) -> Decision:
    rules, by = PoolRules(name="公海"), Claimant(owner, "south", claims_today=0, owned=0)
    return lambda lead, now: claim(lead, now=now, pool=rules, by=by)


def told(**values: str) -> Decision:
    """Values are added or taken away."""
    return lambda lead, now: complete_info(lead, now=now, values=values, policies=BUILT_IN, same={})


ENDS: Mapping[str, tuple[Decision, Decision]] = {
    "given up": (given_up, taken_up),
    "won": (won, taken_back),
    "merged": (merged, unmerged),
}
"""How a lead ends, and how it comes back."""
