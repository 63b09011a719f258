"""What has become due is the same however late and however often it is asked (P5)."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import note, seed, settings
from hypothesis import strategies as st

from aggregates.event import Event
from aggregates.lead.evolve import fold
from aggregates.lead.expire import expire, is_behind, next_due
from aggregates.lead.state import Disposition, Lead
from aggregates.lead.timers import Timer
from aggregates.policy.book import Policies
from tests.seed import SEED
from tests.size import size
from tests.unit.lead.any_event import events, instants
from tests.unit.lead.given import LEAD
from tests.unit.lead.timed import (
    BUILT_IN,
    SECOND,
    WORKING,
    Decision,
    Story,
    assigned,
    captured,
    claimed,
    contact,
    given_up,
    going_on,
    labelled,
    local,
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

START = local("04-26 09:15")
BEHIND_ALL = local("12-31 00:00")
DECISIONS: Sequence[Decision] = (
    assigned("chen"), assigned("li"), pooled, claimed("wu"),
    labelled("high"), labelled("medium"), labelled("low"),
    contact(), contact(connected=False), contact(stage="方案提交"),
    contact(connected=False, next_step_due=date(2024, 5, 6)), contact("04-27 10:00"),
    moved("方案提交"), moved("商务谈判"),
    paused(), paused("05-06 10:00"), paused("04-29 00:00"), going_on,
    told(contact_title=""), told(contact_title="经理"),
    given_up, taken_up, won, taken_back, merged, unmerged,
)  # fmt: skip
policies = st.sampled_from((BUILT_IN, WORKING))
gaps = st.sampled_from((0, 1, 3600, 7200, 43200)) | st.integers(0, 400_000)
steps = st.lists(st.tuples(gaps, st.sampled_from(DECISIONS)), max_size=12)
sweeps = st.lists(st.integers(0, 5_000_000), max_size=12)
first = st.sampled_from((captured("high"), captured("low", "chen", contact_title="")))


@seed(SEED)
@settings(max_examples=size(150, 20_000), deadline=None, database=None)
@for_all(policies, first, steps, sweeps)
def test_the_log_depends_on_what_was_done_and_when_and_on_no_sweep(
    rules: Policies, capture: Decision, done: list[tuple[int, Decision]], asked: list[int]
) -> None:
    """P5: swept at any instants, often or never, the events are the same, and nothing is early."""
    note(f"SEED={SEED}")
    swept = never = Story(rules).at(START, capture)
    now, pending = START, sorted(START + timedelta(seconds=s) for s in asked)
    for gap, decide in done:
        now += timedelta(seconds=gap)
        while pending and pending[0] <= now:
            swept = _sweep(swept, pending.pop(0))
        swept, never = swept.tried(now, decide), never.tried(now, decide)
    for instant in pending:
        swept = _sweep(swept, instant)
    assert swept.until(BEHIND_ALL).events == never.until(BEHIND_ALL).events


def _sweep(story: Story, now: datetime) -> Story:
    after = story.until(now)
    times = [event.occurred_at for event in after.new]
    assert all(at and at <= now for at in times), "early"
    assert times == sorted(t for t in times if t)
    assert after.until(now).new == ()
    assert is_behind(after.lead, now) is False
    return after


@seed(SEED)
@settings(max_examples=200, deadline=None, database=None)
@for_all(st.lists(events, max_size=20), instants, policies)
def test_any_stored_history_is_brought_up_to_date_once(
    history: Sequence[Event], now: datetime, rules: Policies
) -> None:
    """Rule of the log: whatever was stored can be gone on with, and nothing rings twice."""
    note(f"SEED={SEED}")
    lead, timing = fold(Lead(LEAD), history), timing_by(rules)
    due = expire(lead, now=now, timing=timing)
    after = fold(lead, due)
    assert (due == []) is not is_behind(lead, now)
    assert expire(after, now=now, timing=timing) == []
    assert all(event.occurred_at and event.occurred_at <= now for event in due)


def test_what_rings_at_one_instant_rings_in_a_fixed_order() -> None:
    """A11: information, breach, escalation; tasks come last, by their name."""
    at = local("05-04 09:15")
    kinds = {"next-step": "next-step", "回访": "stage", "escalation": "escalation",
             "first-follow-up": "first-follow-up", "complete-info": "complete-info"}  # fmt: skip
    story = Story().at("05-01 09:15", captured("low", "chen"))
    timers = {name: Timer(kind, at, at) for name, kind in kinds.items()}
    object.__setattr__(lead := story.lead, "timers", timers)
    due = expire(lead, now=at, timing=timing_by(BUILT_IN))
    assert [getattr(e, "task", e.topic.removeprefix("lead.")) for e in due] == [
        "info-completion-overdue", "first-response-breached", "escalated-to-supervisor",
        "next-step", "回访",
    ]  # fmt: skip


def test_what_rings_next() -> None:
    """The first clock; of a paused lead the end of the pause alone; of a closed one nothing."""
    story = Story().at("05-01 09:15", captured("high", "chen"))
    assert next_due(story.lead) == (local("05-02 09:15"), 1, "first-follow-up")
    breached = story.until("05-02 09:15")
    assert next_due(breached.lead) == (local("05-04 09:15"), 2, "escalation")
    assert next_due(breached.until("05-04 09:15").lead) is None
    resting = story.at("05-01 10:00", paused("05-20 00:00"))
    assert next_due(resting.lead) == (local("05-20 00:00"), 0, "pause")
    for end in (given_up, won, merged):
        assert next_due(resting.at("05-01 11:00", end).lead) is None


@pytest.mark.parametrize("early", [SECOND, timedelta(microseconds=1)])
def test_nothing_is_due_before_its_instant(early: timedelta) -> None:
    """P5: never early."""
    story = Story().at("05-01 09:15", captured("high", "chen"))
    assert not is_behind(story.lead, local("05-02 09:15") - early)
    assert is_behind(story.lead, local("05-02 09:15"))


def test_a_lead_of_which_nothing_is_known_is_never_behind() -> None:
    assert (next_due(Lead(LEAD)), Lead(LEAD).disposition) == (None, Disposition.OPEN)
