"""暂缓 stops every clock of a lead, and what was left of each runs on after it (R108, A26)."""

from datetime import date

import pytest

from aggregates.lead.events import LeadPaused
from aggregates.lead.time_events import DeadlinesMoved, FirstResponseMade, TaskDone
from tests.unit.lead.timed import (
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
    told,
    unmerged,
    won,
)

HIGH = Story().at("05-01 09:15", captured("high", "chen"))
LOW = Story().at("05-01 09:15", captured("low", "chen"))
PROPOSED = LOW.at("05-02 14:30", contact(stage="方案提交"))
MAY_10 = "05-10 00:00"
UNTIL_10 = paused(MAY_10)


def test_the_remaining_time_of_every_clock_is_kept() -> None:
    """R108, A26: each goes on with what it had left."""
    story = (
        Story()
        .at("05-01 09:15", captured("low", "chen", contact_title=""))
        .at("05-01 09:30", moved("方案提交"))
        .at("05-01 10:00", contact(connected=False, next_step_due=date(2024, 5, 3)))
        .at("05-01 10:15", paused("05-08 10:15"))
    )
    assert story.until("05-08 10:14:59").rang() == []
    story = story.until("05-08 10:15")
    due = {name: story.due(name) for name in story.running()}
    assert due == {
        "complete-info": "05-08 11:15",
        "first-follow-up": "05-11 09:15",
        "escalation": "05-11 09:15",
        "回访": "05-11 09:30",
        "next-step": "05-11 00:00",
    }
    assert story.until("12-31 00:00").rang() == [
        "incomplete 05-08 11:15",
        "overdue 05-11 00:00",
        "breached 05-11 09:15",
        "escalated 05-11 09:15",
        "overdue 05-11 09:30",
    ]
    [moved_on] = story.added(DeadlinesMoved)
    assert {clock.name for clock in moved_on.clocks} == set(due)


@pytest.mark.parametrize(
    ("pause", "due"),
    [
        ("05-02 09:14:59", "05-10 00:00:01"),
        ("05-02 09:14", "05-10 00:01"),
        ("05-01 09:15", "05-11 00:00"),
    ],
)
def test_a_pause_in_the_last_second_leaves_a_second(pause: str, due: str) -> None:
    """A26: exactly what was left, and the instant itself is the boundary."""
    story = HIGH.at(pause, UNTIL_10)
    assert story.until(local(due) - SECOND).rang() == []
    assert story.until(due).rang() == [f"breached {due}"]


def test_what_is_due_at_the_instant_of_the_pause_has_rung() -> None:
    """R108: a pause undoes no breach."""
    story = HIGH.at("05-02 09:15", UNTIL_10)
    assert story.rang() == ["breached 05-02 09:15"]
    assert story.until("12-31 00:00").rang()[1:] == ["escalated 05-12 00:00"]


def test_a_pause_ends_by_itself_however_late_the_sweep() -> None:
    """R108, A26: what it sets going again counts from its end, not from the sweep."""
    story = HIGH.at("05-01 21:15", UNTIL_10)
    for late in (MAY_10, "05-10 11:59:59"):
        assert story.until(late).resumed() == [MAY_10]
        assert story.until(late).rang() == []
    rang = ["breached 05-10 12:00", "escalated 05-12 12:00"]
    assert story.until("12-31 00:00").rang() == rang
    assert story.until("12-31 00:00").resumed() == [MAY_10]
    assert story.until(MAY_10).until("05-10 12:00").until("12-31 00:00").rang() == rang


def test_a_lead_that_is_resumed_by_hand_goes_on_at_once() -> None:
    """R108, A26: and its end that was set says nothing any more."""
    story = HIGH.at("05-01 21:15", UNTIL_10).at("05-03 09:15", going_on)
    assert story.until("12-31 00:00").resumed() == []
    assert story.until("12-31 00:00").rang() == ["breached 05-03 21:15", "escalated 05-05 21:15"]


def test_a_pause_without_an_end_lasts_until_somebody_ends_it() -> None:
    """A26: a history may have one; our own pauses have an end."""
    story = HIGH.at("05-01 21:15", lambda _, now: [LeadPaused(occurred_at=now, reason="出差")])
    assert story.until("12-31 00:00").new == ()
    assert story.at("11-01 00:00", going_on).due("first-follow-up") == "11-01 12:00"


def test_a_pause_of_a_pause_is_one_pause() -> None:
    """A26: another end moves the end; no time is lost between the two words."""
    shorter = HIGH.at("05-01 21:15", UNTIL_10).at("05-02 09:15", paused("05-05 00:00"))
    assert shorter.until("12-31 00:00").resumed() == ["05-05 00:00"]
    assert shorter.until("12-31 00:00").rang()[0] == "breached 05-05 12:00"
    longer = HIGH.at("05-01 21:15", paused("05-05 00:00")).at("05-02 09:15", UNTIL_10)
    assert longer.until("12-31 00:00").resumed() == [MAY_10]
    assert longer.until("12-31 00:00").rang()[0] == "breached 05-10 12:00"


def test_pauses_add_up() -> None:
    """A26: the second keeps what the first had left."""
    story = (
        HIGH.at("05-01 15:15", paused("05-03 00:00"))
        .at("05-03 06:00", paused("05-04 00:00"))
        .at("05-04 06:00", paused("05-05 00:00"))
    )
    assert story.until("12-31 00:00").rang() == ["breached 05-05 06:00", "escalated 05-07 06:00"]
    assert story.until("12-31 00:00").resumed() == ["05-03 00:00", "05-04 00:00", "05-05 00:00"]


def test_another_level_after_pauses_counts_the_time_that_ran() -> None:
    """A10, A26: from the same start, without the pauses."""
    story = LOW.at("05-01 15:15", paused("05-03 00:00"))
    once = story.at("05-03 06:00", labelled("high"))
    assert once.until("12-31 00:00").rang() == ["breached 05-03 18:00", "escalated 05-05 18:00"]
    again = story.at("05-03 06:00", paused("05-05 00:00")).at("05-05 01:00", labelled("high"))
    assert again.until("12-31 00:00").rang() == ["breached 05-05 12:00", "escalated 05-07 12:00"]


def test_another_level_within_a_pause_counts_after_it() -> None:
    """A10, A26: also when its time had run out before the pause."""
    story = LOW.at("05-01 15:15", UNTIL_10).at("05-05 00:00", labelled("high"))
    assert story.until("12-31 00:00").rang() == ["breached 05-10 18:00", "escalated 05-12 18:00"]
    over = LOW.at("05-03 09:15", UNTIL_10).at("05-05 00:00", labelled("high"))
    assert over.until("05-09 23:59:59").rang() == []
    assert over.until("12-31 00:00").rang() == [f"breached {MAY_10}", "escalated 05-11 00:00"]


def test_an_owner_who_gets_a_paused_lead_has_the_full_time_after_the_pause() -> None:
    """A26, A31."""
    story = HIGH.at("05-01 21:15", UNTIL_10).at("05-05 00:00", assigned("li"))
    assert story.until("12-31 00:00").rang() == ["breached 05-11 00:00", "escalated 05-12 12:00"]
    claimed_by = HIGH.at("05-01 21:15", pooled).at("05-02 00:00", UNTIL_10)
    rang = claimed_by.at("05-05 00:00", claimed("li")).until("12-31 00:00").rang()
    assert rang == ["breached 05-11 00:00", "escalated 05-13 00:00"]


def test_what_is_asked_for_within_a_pause_has_its_full_time_after_it() -> None:
    """R28, R53, A26."""
    story = (
        LOW.at("05-01 15:15", UNTIL_10)
        .at("05-04 00:00", told(contact_title=""))
        .at("05-05 00:00", contact(stage="方案提交"))
    )
    assert story.until("12-31 00:00").rang() == ["incomplete 05-10 02:00", "overdue 05-13 00:00"]


def test_a_contact_within_a_pause_counts() -> None:
    """A12, A26, A30: the customer was reached in time, and the revisit is done, whenever that is
    recorded.
    """
    for recorded in ("05-05 12:00", "05-10 06:00"):
        story = HIGH.at("05-01 21:15", UNTIL_10).at(recorded, contact("05-05 12:00"))
        [made] = story.added(FirstResponseMade)
        assert (made.occurred_at, made.late) == (local("05-05 12:00"), 0)
        revisited = PROPOSED.at("05-03 00:00", UNTIL_10).at(recorded, contact("05-05 12:00"))
        assert [done.task for done in revisited.added(TaskDone)] == ["回访"]


def test_what_is_overdue_is_not_moved() -> None:
    """A26: it stays to be done."""
    story = HIGH.at("05-02 10:00", UNTIL_10).until(MAY_10)
    [moved_on] = story.added(DeadlinesMoved)
    assert [clock.name for clock in moved_on.clocks] == ["escalation"]
    assert story.due("first-follow-up") == "05-02 09:15"


@pytest.mark.parametrize(("end", "again"), [(given_up, taken_up), (won, taken_back)])
def test_the_end_of_a_lead_ends_its_pause(end: Decision, again: Decision) -> None:
    """R59, R100: the lead comes back active."""
    story = HIGH.at("05-01 21:15", UNTIL_10).at("05-02 21:15", end)
    assert story.running() == set()
    assert story.until("12-31 00:00").resumed() == []
    back = story.at("05-03 00:00", again)
    assert back.until("12-31 00:00").rang() == ["breached 05-04 00:00", "escalated 05-06 00:00"]


@pytest.mark.parametrize(
    ("undone", "breached"), [("05-05 00:00", "05-06 00:00"), ("05-20 00:00", "05-21 00:00")]
)
def test_a_merge_ends_a_pause_and_undoing_it_starts_every_clock_in_full(
    undone: str, breached: str
) -> None:
    """A1, A26: the lead does not stand still for ever."""
    story = HIGH.at("05-01 21:15", UNTIL_10).at("05-02 00:00", merged)
    assert story.running() == set()
    back = story.at(undone, unmerged).until("12-31 00:00")
    assert back.rang()[0] == f"breached {breached}"
    assert len(back.rang()) == 2


def test_working_hours_are_kept_as_they_were_left() -> None:
    """A26, A29: a pause over a night and Labour Day costs and saves no working time."""
    friday = Story(WORKING).at("05-10 17:00", captured("high", "chen"))  # 1 h, then Saturday
    over_night = friday.at("05-10 18:00", paused("05-11 09:00"))
    assert friday.until("12-31 00:00").rang() == over_night.until("12-31 00:00").rang()
    story = friday.at("05-11 10:00", paused("05-14 20:00"))  # 2 of 24 hours are over
    assert story.until("12-31 00:00").rang()[0] == "breached 05-17 17:30"
    before = Story(WORKING).at("04-30 17:00", captured("high", contact_title=""))
    assert before.at("05-01 00:00", paused("05-05 12:00")).until("12-31 00:00").rang() == [
        "incomplete 05-06 10:00"
    ]
