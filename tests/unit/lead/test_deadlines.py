"""Every time limit at its exact boundary: one second before, at it, one second after."""

from datetime import datetime

import pytest

from aggregates.lead.time_events import FirstResponseMade
from aggregates.policy.book import Policies
from tests.unit.lead.timed import (
    BUILT_IN,
    SECOND,
    WORKING,
    Story,
    assigned,
    captured,
    contact,
    labelled,
    local,
    moved,
    paused,
)

LEVELS = ("high", "medium", "low", "unrated")
WITHIN_HOURS = {"high": 24, "medium": 48, "low": 72, "unrated": 24}
INCOMPLETE = captured("low", contact_title="")

# From when, within how long, until when: past midnight, a month's end, a leap day, a year's end.
HOURS_LATER = [
    ("05-01 09:15", 2, "05-01 11:15"),
    ("05-01 23:30", 2, "05-02 01:30"),
    ("04-30 22:00:01", 2, "05-01 00:00:01"),
    ("02-28 23:59:59", 2, "02-29 01:59:59"),
    ("2023-12-31 22:00", 2, "01-01 00:00"),
    ("05-01 09:15", 24, "05-02 09:15"),
    ("05-01 23:59:59", 24, "05-02 23:59:59"),
    ("04-30 00:00", 24, "05-01 00:00"),
    ("02-28 12:00", 24, "02-29 12:00"),
    ("2023-12-31 18:00", 24, "01-01 18:00"),
    ("05-01 09:15", 48, "05-03 09:15"),
    ("04-29 23:00", 48, "05-01 23:00"),
    ("02-28 00:00", 48, "03-01 00:00"),
    ("05-10 17:00", 48, "05-12 17:00"),
    ("05-01 09:15", 72, "05-04 09:15"),
    ("04-29 23:59:59", 72, "05-02 23:59:59"),
    ("02-27 08:00", 72, "03-01 08:00"),
    ("2023-12-30 00:00", 72, "01-02 00:00"),
]
# The same for working hours: 09:00-12:00 and 13:30-18:00, Labour Day 2024 and its make-up days.
WORKING_HOURS_LATER = [
    ("05-13 11:00", 2, "05-13 14:30"),  # lunch
    ("05-10 16:00", 2, "05-10 18:00"),  # the last second of the day
    ("05-10 16:00:01", 2, "05-11 09:00:01"),
    ("05-10 17:00", 2, "05-11 10:00"),  # a Saturday of work
    ("05-17 17:00", 2, "05-20 10:00"),  # a Saturday like any other
    ("04-27 12:00", 2, "04-28 11:00"),  # a Sunday of work
    ("04-30 17:30", 2, "05-06 10:30"),  # Labour Day, across the month's end
    ("05-01 09:15", 2, "05-06 11:00"),
    ("05-13 23:30", 2, "05-14 11:00"),  # midnight
    ("05-31 17:00", 2, "06-03 10:00"),  # a month's end and a weekend
    ("05-10 09:00", 24, "05-14 10:30"),
    ("04-29 09:00", 24, "05-07 10:30"),
    ("05-10 09:00", 48, "05-17 12:00"),
    ("05-10 09:00", 72, "05-22 15:00"),
]  # fmt: skip
CLOCKS = [
    *((BUILT_IN, *case) for case in HOURS_LATER),
    *((WORKING, *case) for case in WORKING_HOURS_LATER),
]  # fmt: skip


def rings_exactly_at(story: Story, due: datetime, *rings: str) -> None:
    """Nothing one second before; everything at the instant itself, and nothing more after it."""
    before = len(story.rang())
    for late in (SECOND, 0 * SECOND, -SECOND):
        rang = story.until(due - late).rang()[before:]
        assert rang == ([] if late > 0 * SECOND else list(rings))


@pytest.mark.parametrize(("policies", "since", "hours", "due"), [c for c in CLOCKS if c[2] == 2])
def test_missing_information_is_overdue_after_2_hours(
    policies: Policies, since: str, hours: int, due: str
) -> None:
    """R28, R29, A8, A29: from when the lead became 待补充."""
    story = Story(policies).at(since, INCOMPLETE)
    assert story.due("complete-info") == due
    rings_exactly_at(story, local(due), f"incomplete {due}")


@pytest.mark.parametrize(
    ("level", "policies", "since", "hours", "due"),
    [(level, *clock) for level in LEVELS for clock in CLOCKS if clock[2] == WITHIN_HOURS[level]],
)
def test_the_first_follow_up_is_due_by_level(
    level: str, policies: Policies, since: str, hours: int, due: str
) -> None:
    """R38, R104, R105, R106, A10, A29: 24 h for high and unrated, 48 h for medium, 72 h for low."""
    story = Story(policies).at(since, captured(level)).at(since, assigned("chen"))
    assert story.due("first-follow-up") == due
    both = [f"breached {due}", *([f"escalated {due}"] if level == "low" else [])]
    rings_exactly_at(story, local(due), *both)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("policies", "since", "hours", "due"), [c for c in CLOCKS if c[2] == 72])
def test_the_supervisor_is_told_after_3_days_whatever_the_level(
    policies: Policies, since: str, hours: int, due: str, level: str
) -> None:
    """R40, R41, A10, A11: the breach came before, at the same instant for low intent."""
    story = Story(policies).at(since, captured(level)).at(since, assigned("chen"))
    assert story.due("escalation") == due
    before = story.until(local(due) - SECOND)
    assert len(before.rang()) == (level != "low")
    after = before.until(due)
    assert len(after.rang()) == 2
    assert after.rang()[0].startswith("breached")
    assert after.rang()[1] == f"escalated {due}"


@pytest.mark.parametrize("policies", [BUILT_IN, WORKING])
@pytest.mark.parametrize(
    ("since", "due"),
    [
        ("05-02 14:30", "05-05 14:30"),
        ("05-09 23:59:59", "05-12 23:59:59"),
        ("04-29 08:00", "05-02 08:00"),
        ("02-27 00:00", "03-01 00:00"),
        ("2023-12-30 12:00", "01-02 12:00"),
    ],
)
def test_a_revisit_is_due_3_days_after_the_proposal(
    policies: Policies, since: str, due: str
) -> None:
    """R53, G4: days are days, also where hours are working hours."""
    story = Story(policies).at(since, captured("low")).at(since, moved("方案提交"))
    assert story.due("回访") == due
    rings_exactly_at(story, local(due), f"overdue {due}")


@pytest.mark.parametrize("policies", [BUILT_IN, WORKING])
@pytest.mark.parametrize(
    ("now", "day", "due"),
    [
        ("05-02 14:30", "2024-05-10", "05-11 00:00"),
        ("05-10 23:59:59", "2024-05-10", "05-11 00:00"),
        ("04-29 00:00", "2024-04-30", "05-01 00:00"),
        ("02-28 18:00", "2024-02-29", "03-01 00:00"),
        ("2023-12-01 09:00", "2023-12-31", "01-01 00:00"),
    ],
)
def test_a_next_step_is_due_at_the_end_of_its_local_day(
    policies: Policies, now: str, day: str, due: str
) -> None:
    """R51, R89, A14: 「2024-05-10前」 includes the tenth."""
    step = contact(next_step="发送方案", next_step_due=datetime.fromisoformat(day).date())
    story = Story(policies).at(now, captured("low")).at(now, step)
    assert story.due("next-step") == due
    rings_exactly_at(story, local(due), f"overdue {due}")


@pytest.mark.parametrize(
    ("since", "due"),
    [("05-02 14:30", "07-31 14:30"), ("2023-12-01 23:59:59", "02-29 23:59:59")],
)
def test_a_pause_without_an_end_ends_after_90_days(since: str, due: str) -> None:
    """R107, A26: by itself, at the longest that the policy allows."""
    story = Story().at(since, captured("low")).at(since, paused())
    assert story.until(local(due) - SECOND).resumed() == []
    assert story.until(due).resumed() == [due]
    assert story.until(local(due) + SECOND).resumed() == [due]


def test_golden_case_2_a_contact_5_hours_and_15_minutes_late() -> None:
    """G2, R104, R40, A29: due a day after the assignment, no escalation before 05-04 09:15."""
    story = Story().at("05-01 09:15", captured("high", "chen")).at("05-02 14:30", contact())
    assert story.rang() == ["breached 05-02 09:15"]
    [made] = story.added(FirstResponseMade)
    assert (made.occurred_at, made.due_at) == (local("05-02 14:30"), local("05-02 09:15"))
    assert made.late == (5 * 60 + 15) * 60
    assert story.until("06-30 00:00").rang() == ["breached 05-02 09:15"]
    untouched = Story().at("05-01 09:15", captured("high", "chen"))
    assert untouched.until("05-04 09:14:59").rang() == ["breached 05-02 09:15"]
    assert untouched.until("05-04 09:15").rang()[1:] == ["escalated 05-04 09:15"]


def test_golden_case_3_low_intent_is_breached_and_then_escalated_each_once() -> None:
    """G3, R40, R106, A11: at the same instant, in that order, whenever the sweep comes by."""
    story = Story().at("05-01 09:15", captured("low", "chen"))
    both = ["breached 05-04 09:15", "escalated 05-04 09:15"]
    assert story.until("05-04 09:14:59").rang() == []
    assert story.until("05-04 09:15").rang() == both
    assert story.until("12-31 00:00").rang() == both
    assert story.until("05-04 09:15").until("05-04 09:15").until("12-31 00:00").rang() == both


def test_golden_case_4_a_revisit_3_days_after_the_proposal_whose_contact_says_so() -> None:
    """G4, R53, R90: the record that sets 方案提交 is not the revisit that it asks for."""
    story = (
        Story()
        .at("05-01 09:15", captured("high", "chen"))
        .at("05-02 14:30", contact(stage="方案提交"))
    )
    assert story.due("回访") == "05-05 14:30"
    assert story.until("05-05 14:29:59").rang() == ["breached 05-02 09:15"]
    assert story.until("05-20 11:00").rang()[1:] == ["overdue 05-05 14:30"]


def test_a_contact_in_the_last_second_is_in_time() -> None:
    """R38, R104: within 24 hours."""
    story = Story().at("05-01 09:15", captured("high", "chen")).at("05-02 09:14:59", contact())
    assert story.rang() == []
    assert story.until("12-31 00:00").rang() == []


def test_another_level_counts_from_the_same_start() -> None:
    """A10, decision: at the boundary of the new level, not of the old one."""
    story = Story().at("05-01 09:15", captured("low", "chen")).at("05-01 20:00", labelled("high"))
    rings_exactly_at(story, local("05-02 09:15"), "breached 05-02 09:15")
