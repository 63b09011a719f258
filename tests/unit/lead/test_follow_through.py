"""What follows from a decision as time runs: tasks are issued, moved and ended with their cause."""

from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given as for_all
from hypothesis import note, seed, settings
from hypothesis import strategies as st

from aggregates.event import Event
from aggregates.lead.evolve import fold
from aggregates.lead.follow_through import arm, follow_through
from aggregates.lead.state import Lead
from aggregates.lead.time_events import (
    DeadlinesMoved,
    EscalatedToSupervisor,
    FirstFollowUpTaskIssued,
    FirstResponseBreached,
    FirstResponseMade,
    InfoCompletionOverdue,
    TaskScheduled,
)
from tests.seed import SEED
from tests.unit.lead.any_event import events, instants
from tests.unit.lead.given import LEAD
from tests.unit.lead.timed import (
    BUILT_IN,
    ENDS,
    WORKING,
    Decision,
    Story,
    assigned,
    by_response,
    captured,
    claimed,
    contact,
    given_up,
    labelled,
    local,
    pooled,
    timing_by,
    told,
)

HIGH = Story().at("05-01 09:15", captured("high", "chen"))
MEDIUM = Story().at("05-01 09:15", captured("medium", "chen"))
LOW = Story().at("05-01 09:15", captured("low", "chen"))
PROPOSED = LOW.at("05-02 14:30", contact(stage="方案提交"))
TENTH = date(2024, 5, 10)
OWNERS = {"first-follow-up", "escalation"}


def test_an_owner_gets_the_first_follow_up_task_at_once() -> None:
    """R37, R38, A10: in the commit of the assignment, by the rules that it cites."""
    [task] = HIGH.added(FirstFollowUpTaskIssued)
    assert task == FirstFollowUpTaskIssued(
        occurred_at=local("05-01 09:15"),
        owner="chen",
        level="high",
        due_at=local("05-02 09:15"),
        escalate_at=local("05-04 09:15"),
        policy=BUILT_IN.response.ref,
    )
    [by_calendar] = (
        Story(WORKING).at("05-10 17:00", captured("high", "chen")).added(FirstFollowUpTaskIssued)
    )
    assert (by_calendar.policy, by_calendar.calendar) == (
        WORKING.response.ref,
        WORKING.calendar.ref,
    )
    assert by_calendar.due_at == local("05-15 09:30")


def test_without_an_owner_nobody_is_to_follow_up() -> None:
    """R8, A8: what lacks information has a clock all the same."""
    story = Story().at("05-01 09:15", captured("high", contact_title=""))
    assert story.running() == {"complete-info"}
    [overdue] = story.until("05-31 00:00").added(InfoCompletionOverdue)
    assert (overdue.missing, overdue.responsible) == (("contact_title",), None)
    assert overdue.supervisors == ("王芳",)
    [owned] = (
        story.at("05-01 09:30", assigned("chen")).until("05-31 00:00").added(InfoCompletionOverdue)
    )
    assert owned.responsible == "chen"


def test_a_new_owner_has_time_of_their_own_and_the_supervisor_is_told_once() -> None:
    """A31, R40: due a day after they got it; escalation from the first assignment."""
    story = HIGH.at("05-01 21:00", assigned("li"))
    assert (story.due("first-follow-up"), story.due("escalation")) == ("05-02 21:00", "05-04 09:15")
    story = story.at("05-03 09:00", assigned("wu"))
    assert story.rang() == ["breached 05-02 21:00"]
    story = story.at("05-04 10:00", assigned("chen")).until("06-30 00:00")
    assert story.rang()[1:] == ["breached 05-04 09:00", "escalated 05-04 09:15",
                                "breached 05-05 10:00"]  # fmt: skip
    blamed = [e.owner for e in story.events if isinstance(e, FirstResponseBreached)]
    assert blamed == ["li", "wu", "chen"]
    [escalated] = [e for e in story.events if isinstance(e, EscalatedToSupervisor)]
    assert (escalated.owner, escalated.team, escalated.supervisors) == ("wu", "east", ("王芳",))


def test_the_same_owner_again_and_another_team_start_no_clock() -> None:
    """A31."""
    story = HIGH.at("05-01 21:00", assigned("chen"))
    assert story.new == ()
    assert story.due("first-follow-up") == "05-02 09:15"


def test_a_pool_has_no_owner_who_is_late_and_a_claimant_begins_anew() -> None:
    """A31, A32: nobody is late meanwhile."""
    story = HIGH.at("05-01 21:00", pooled)
    assert story.running() == set()
    assert story.until("06-01 00:00").rang() == []
    again = story.at("06-01 08:00", claimed("li"))
    assert (again.due("first-follow-up"), again.due("escalation")) == ("06-02 08:00", "06-04 08:00")
    contacted = HIGH.at("05-01 10:00", contact()).at("05-01 21:00", pooled)
    assert contacted.at("05-02 08:00", claimed("li")).running() == set()


def test_only_a_connected_contact_stops_the_clock() -> None:
    """A12: an unanswered call is an attempt."""
    tried = HIGH.at("05-01 10:00", contact(connected=False))
    assert tried.running() == OWNERS
    assert tried.lead.first_attempt_at == local("05-01 10:00")
    assert tried.until("05-04 09:15").rang() == ["breached 05-02 09:15", "escalated 05-04 09:15"]
    reached = tried.at("05-01 11:00", contact())
    assert reached.running() == set()
    assert reached.until("12-31 00:00").rang() == []
    assert reached.added(FirstResponseMade) == [
        FirstResponseMade(
            occurred_at=local("05-01 11:00"),
            by="chen",
            due_at=local("05-02 09:15"),
            since_capture=6300,
            since_assignment=6300,
            late=0,
        )
    ]
    assert reached.at("05-03 11:00", contact()).added(FirstResponseMade) == []


@pytest.mark.parametrize(
    ("contacted", "late"),
    [("05-02 09:14:59", 0), ("05-02 09:15", 0), ("05-02 09:15:01", 1), ("05-02 12:00", 9900)],
)
def test_the_time_of_the_contact_decides_also_when_recorded_late(
    contacted: str, late: float
) -> None:
    """A30: what is recorded after the breach may have been in time."""
    story = HIGH.at("05-03 10:00", contact(contacted))
    assert story.rang() == ["breached 05-02 09:15"]
    [made] = story.added(FirstResponseMade)
    assert (made.occurred_at, made.late) == (local(contacted), late)
    assert story.running() == set()
    assert story.until("12-31 00:00").rang() == ["breached 05-02 09:15"]


def test_a_contact_before_the_lead_had_an_owner_leaves_nothing_to_ask_for() -> None:
    """A12, R37: the customer was reached already."""
    story = Story().at("05-01 09:15", captured("high")).at("05-01 10:00", contact())
    [made] = story.added(FirstResponseMade)
    assert (made.due_at, made.since_assignment, made.late) == (None, None, None)
    assert made.since_capture == 2700
    assert story.at("05-01 11:00", assigned("chen")).running() == set()


def test_who_is_late_owes_a_reason_also_after_the_contact() -> None:
    """R42, A12: the item is the owner's at the time of the escalation."""
    story = HIGH.until("05-04 09:15")
    assert story.lead.timers["late-reason"].owner == "chen"
    assert story.running() == {"first-follow-up", "late-reason"}
    assert story.at("05-04 10:00", contact()).running() == {"late-reason"}


@pytest.mark.parametrize(
    ("before", "after", "due"),
    [
        ("low", "high", "05-02 09:15"),
        ("low", "medium", "05-03 09:15"),
        ("high", "medium", "05-03 09:15"),
        ("medium", "unrated", "05-02 09:15"),
        ("unrated", "low", "05-04 09:15"),
    ],
)
def test_another_level_moves_the_due_instant_from_the_same_start(
    before: str, after: str, due: str
) -> None:
    """A10, decision: escalation stays three days after the assignment."""
    story = Story().at("05-01 09:15", captured(before, "chen")).at("05-01 20:00", labelled(after))
    assert (story.due("first-follow-up"), story.due("escalation")) == (due, "05-04 09:15")
    [moved_by] = story.added(DeadlinesMoved)
    assert (moved_by.level, moved_by.policy) == (after, BUILT_IN.response.ref)
    [breach] = story.until(due).added(FirstResponseBreached)
    assert (breach.level, breach.occurred_at) == (after, local(due))


def test_a_level_that_is_set_too_late_was_due_already() -> None:
    """A10: high intent found out on the second day."""
    story = LOW.at("05-02 15:00", labelled("high"))
    assert story.rang() == []
    assert story.until("05-02 15:00").rang() == ["breached 05-02 09:15"]


def test_a_level_never_undoes_a_breach() -> None:
    """Decision: nor is it breached a second time at the later instant; the start is the same."""
    story = HIGH.at("05-02 10:00", labelled("low"))
    assert story.due("first-follow-up") == "05-02 09:15"
    assert story.until("12-31 00:00").rang() == ["breached 05-02 09:15", "escalated 05-04 09:15"]


def test_after_a_breach_another_level_moves_nothing_a_second_time() -> None:
    """A repeated intent has no effect, and other intents have none of this."""
    story = HIGH.at("05-02 10:00", labelled("low"))
    for hour in (11, 12):
        story = story.at(f"05-02 {hour}:00", contact(connected=False))
        assert story.added(DeadlinesMoved) == []


def test_other_rules_change_later_deadlines_only() -> None:
    """R45: what was issued keeps its due instant; the next owner has the time of the new rules."""
    strict = by_response(high_hours=1, escalate_after_hours=2)
    story = replace(HIGH, policies=strict)
    assert story.until("05-02 09:14:59").rang() == []
    reassigned = story.at("05-01 21:00", assigned("li"))
    [task] = reassigned.added(FirstFollowUpTaskIssued)
    assert (task.due_at, task.policy) == (local("05-01 22:00"), strict.response.ref)
    assert reassigned.due("escalation") == "05-04 09:15"


def test_an_escalation_may_be_due_by_level() -> None:
    """A11: then another level moves it as well, and after a breach too."""
    rules = by_response(high_escalate_after_hours=30, low_escalate_after_hours=100)
    high = Story(rules).at("05-01 09:15", captured("high", "chen"))
    assert high.until("12-31 00:00").rang() == ["breached 05-02 09:15", "escalated 05-02 15:15"]
    calm = high.at("05-02 10:00", labelled("low"))
    assert calm.until("12-31 00:00").rang() == ["breached 05-02 09:15", "escalated 05-05 13:15"]


def test_the_same_label_by_hand_moves_nothing() -> None:
    assert HIGH.at("05-01 12:00", labelled("high")).added(DeadlinesMoved) == []


def test_information_is_completed_or_missing_again() -> None:
    """R28, A8: another missing field is the same item; once complete it begins anew."""
    story = Story().at("05-01 09:15", captured("low", contact_title="", industry=""))
    assert story.due("complete-info") == "05-01 11:15"
    story = story.at("05-01 10:00", told(industry="教育"))
    assert story.due("complete-info") == "05-01 11:15"
    done = story.at("05-01 11:00", told(contact_title="经理"))
    assert (done.running(), done.until("12-31 00:00").rang()) == (set(), [])
    again = done.at("05-06 09:00", told(contact_title=""))
    assert again.due("complete-info") == "05-06 11:00"
    late = story.at("05-01 12:00", told(contact_title="经理"))
    assert late.rang() == ["incomplete 05-01 11:15"]
    assert late.running() == set()


@pytest.mark.parametrize(("end", "again"), ENDS.values(), ids=ENDS)
def test_the_end_of_a_lead_ends_every_clock_and_its_return_starts_them_again(
    end: Decision, again: Decision
) -> None:
    """R59, R100, A1, A15."""
    story = Story().at("05-01 09:15", captured("high", "chen", contact_title=""))
    ended = story.at("05-01 10:00", end)
    assert (ended.running(), ended.until("05-31 00:00").rang()) == (set(), [])
    back = ended.at("05-31 08:00", again)
    assert back.running() == {"complete-info", *OWNERS}
    assert back.due("complete-info") == "05-31 10:00"
    assert (back.due("first-follow-up"), back.due("escalation")) == ("06-01 08:00", "06-03 08:00")
    told_before = story.until("05-04 09:15").at("05-05 09:00", end).at("05-31 08:00", again)
    assert "escalation" not in told_before.running()
    assert len(told_before.until("12-31 00:00").rang()) == 5


def test_an_imported_lead_is_armed_with_what_lies_in_the_future() -> None:
    """Nothing becomes due that was due before it was imported."""
    timing = timing_by(BUILT_IN)
    lead = HIGH.lead
    bare = fold(Lead(LEAD), [e for e in HIGH.events if not isinstance(e, FirstFollowUpTaskIssued)])
    assert arm(bare, now=local("05-02 09:14:59"), timing=timing) == HIGH.added(
        FirstFollowUpTaskIssued
    )
    assert arm(bare, now=local("05-02 09:15"), timing=timing) == []
    assert arm(lead, now=local("05-01 09:15"), timing=timing) == []
    revisit = [e for e in PROPOSED.events if isinstance(e, TaskScheduled)]
    reached = fold(Lead(LEAD), [e for e in PROPOSED.events if e not in revisit])
    assert arm(reached, now=local("05-05 14:29:59"), timing=timing) == revisit
    assert arm(reached, now=local("05-05 14:30"), timing=timing) == []
    lost = HIGH.at("05-01 10:00", given_up).lead
    assert arm(lost, now=local("05-01 11:00"), timing=timing) == []


@seed(SEED)
@settings(max_examples=200, deadline=None, database=None)
@for_all(st.lists(events, max_size=20), instants)
def test_from_nothing_nothing_follows(history: list[Event], now: datetime) -> None:
    """A repeated intent records nothing, whatever the lead's history."""
    note(f"SEED={SEED}")
    lead = fold(Lead(LEAD), history)
    for policies in (BUILT_IN, WORKING):
        assert follow_through(lead, [], now=now, timing=timing_by(policies)) == ([], lead)
