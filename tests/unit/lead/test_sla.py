"""How first follow-ups were met, from a lead's history: R38-R42, A10, A26, A30, A31."""

from datetime import datetime, timedelta

import pytest

from aggregates.lead.sla import FirstFollowUp, first_follow_ups
from tests.unit.lead import timed as told
from tests.unit.lead.given import LEAD

START = told.local("05-06 09:15")


def after(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def assigned(level: str = "high", owner: str = "chen") -> told.Story:
    """A lead that somebody has since START."""
    return told.Story().at(START, told.captured(level)).at(START, told.assigned(owner))


def of(story: told.Story, hours: float) -> list[FirstFollowUp]:
    return first_follow_ups(LEAD, story.events, after(hours))


@pytest.mark.parametrize(
    ("seconds", "outcome", "late"), [(-1, "met", 0), (0, "met", 0), (1, "late", 1)]
)
def test_a_response_is_met_or_late_to_the_second(seconds: int, outcome: str, late: int) -> None:
    """R104: due 24 hours after START, and by then is in time."""
    at = after(24) + timedelta(seconds=seconds)
    (task,) = of(assigned().at(at, told.contact()), 48)
    assert (task.owner, task.response_at, task.responded_by) == ("chen", at, "chen")
    assert (task.outcome, task.late, task.ended_at) == (outcome, late, at)
    assert task.since_capture == task.since_assignment == 86400 + seconds


def test_one_that_is_recorded_late_was_met_when_the_contact_was_in_time() -> None:
    """A30: its own time decides; that it was taken to be missed stays to be seen."""
    (task,) = of(assigned().at(after(30), told.contact(after(20))), 48)
    assert (task.outcome, task.late, task.breached_at) == ("met", 0, after(24))


def test_what_nobody_has_done_runs_and_is_overdue() -> None:
    """R38, R40: with what happened at its due instants."""
    story = assigned()
    (runs,) = of(story.until(after(23)), 23)
    assert (runs.outcome, runs.late, runs.due_at) == ("running", 0, after(24))
    (late,) = of(story.until(after(80)), 80)
    assert (late.outcome, late.late) == ("overdue", 56 * 3600)
    assert (late.breached_at, late.escalated_at) == (after(24), after(72))
    assert late.ended_at is None


def test_every_owner_has_one_of_their_own() -> None:
    """A31: it ends with the next assignment, in a pool, and when the lead is given up."""
    story = assigned().at(after(30), told.assigned("li")).at(after(40), told.pooled)
    chen, li = of(story, 50)
    assert (chen.outcome, chen.ended_at, chen.breached_at) == ("ended", after(30), after(24))
    assert (li.outcome, li.ended_at, li.breached_at) == ("ended", after(40), None)
    *_, wu = of(story.at(after(50), told.claimed("wu")).at(after(51), told.given_up), 60)
    assert (wu.owner, wu.issued_at, wu.ended_at) == ("wu", after(50), after(51))


def test_pauses_and_levels_move_what_is_due() -> None:
    """A10, A26: paused time is told apart, also while the pause lasts."""
    story = assigned("low").at(after(10), told.paused(after(30)))
    (still,) = of(story, 20)
    assert (still.paused, still.outcome) == (10 * 3600, "running")
    (task,) = of(story.until(after(40)).at(after(40), told.labelled("high")), 40)
    assert (task.level, task.paused) == ("high", 20 * 3600)
    assert (task.due_at, task.escalate_at) == (after(44), after(92))


def test_a_lead_that_nobody_was_given_has_none() -> None:
    """R37."""
    assert of(told.Story().at(START, told.captured("high")), 10) == []
