"""Revisits that a stage asks for, and next steps: set, done, overdue, cancelled (R53, A14)."""

from datetime import date

import pytest

from aggregates.lead.time_events import TaskCancelled, TaskDone, TaskOverdue, TaskScheduled
from tests.unit.lead.timed import ENDS, Decision, Story, captured, contact, local, moved

LOW = Story().at("05-01 09:15", captured("low", "chen"))
PROPOSED = LOW.at("05-02 14:30", contact(stage="方案提交"))
TENTH = date(2024, 5, 10)


def test_leaving_the_stage_cancels_its_task() -> None:
    """R53: and coming back asks for it again."""
    left = PROPOSED.at("05-03 09:00", moved("商务谈判"))
    assert left.added(TaskCancelled) == [
        TaskCancelled(occurred_at=local("05-03 09:00"), task="回访")
    ]
    assert left.until("12-31 00:00").rang() == []
    assert left.at("05-06 10:00", moved("方案提交")).due("回访") == "05-09 10:00"


def test_a_contact_is_the_revisit_that_was_asked_for() -> None:
    """R53: a connected one, made since; it may move the lead on at once."""
    assert PROPOSED.running() == {"回访"}
    missed = PROPOSED.at("05-04 10:00", contact(connected=False))
    assert missed.running() == {"回访"}
    before = PROPOSED.at("05-04 10:00", contact("05-02 14:29:59"))
    assert before.running() == {"回访"}
    for record in (contact("05-04 09:30"), contact("05-04 09:30", stage="商务谈判")):
        done = PROPOSED.at("05-04 10:00", record)
        [task] = done.added(TaskDone)
        assert task == TaskDone(occurred_at=local("05-04 09:30"), task="回访", by="chen")
        assert done.added(TaskCancelled) == []
        assert done.until("12-31 00:00").rang() == []


def test_an_overdue_task_stays_to_be_done() -> None:
    """R53: overdue and done are two events."""
    late = PROPOSED.until("05-06 00:00")
    assert late.added(TaskOverdue) == [
        TaskOverdue(occurred_at=local("05-05 14:30"), task="回访", owner="chen")
    ]
    assert late.running() == {"回访"}
    assert len(late.at("05-07 10:00", contact()).added(TaskDone)) == 1


def test_a_proposal_entered_late_is_to_be_revisited_from_when_it_was_made() -> None:
    """R53, A30."""
    story = LOW.at("05-04 09:00", contact("05-02 14:30", stage="方案提交"))
    assert story.due("回访") == "05-05 14:30"
    late = LOW.at("05-03 09:00", contact()).at(
        "05-10 09:00", contact("05-05 09:00", stage="方案提交")
    )
    assert late.until("05-10 09:00").rang() == ["overdue 05-08 09:00"]


def test_a_next_step_is_done_by_the_next_contact_and_replaced_by_another() -> None:
    """R51, A14."""
    planned = LOW.at("05-02 10:00", contact(next_step="发送方案", next_step_due=TENTH))
    [task] = planned.added(TaskScheduled)
    assert (task.kind, task.due_on, task.follow_up) == ("next-step", TENTH, "GJ20240501001")
    assert planned.added(TaskDone) == []
    for connected, done in ((False, 0), (True, 1)):
        other = contact(connected=connected, next_step="演示", next_step_due=date(2024, 5, 12))
        later = planned.at("05-09 10:00", other)
        assert (later.due("next-step"), len(later.added(TaskDone))) == ("05-13 00:00", done)
        assert later.until("12-31 00:00").rang() == ["overdue 05-13 00:00"]


@pytest.mark.parametrize(("day", "asked"), [(2, True), (1, False)])
def test_a_next_step_that_is_past_asks_for_nothing(day: int, asked: bool) -> None:
    """A14: today's is due at the end of the day."""
    step = contact("05-01 10:00", next_step="发送方案", next_step_due=date(2024, 5, day))
    assert ("next-step" in LOW.at("05-02 10:00", step).running()) is asked


@pytest.mark.parametrize(("end", "again"), ENDS.values(), ids=ENDS)
def test_the_stage_asks_again_for_its_task_when_the_lead_is_back(
    end: Decision, again: Decision
) -> None:
    """R53: from its return."""
    back = PROPOSED.at("05-03 10:00", end).at("05-31 08:00", again)
    assert back.due("回访") == "06-03 08:00"
