"""The checker of time itself: faults planted into a log, each of them found (T14)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.checker_fold import Fact
from tests.checker_schedule import WALL, WORKING, Rules
from tests.checker_time import time_faults
from tests.conformance.timed_log import TimedLog
from tests.unit.lead.timed import (
    BUILT_IN,
    assigned,
    captured,
    contact,
    given_up,
    labelled,
    local,
    moved,
    paused,
)

LATE, BUSY, RESTING, GONE = (UUID(int=n) for n in range(10, 14))
END = local("06-01 00:00")
HOUR = timedelta(hours=1)
BREACHED, ESCALATED = "lead.first-response-breached", "lead.escalated-to-supervisor"
ISSUED, MADE = "lead.first-follow-up-task-issued", "lead.first-response-made"
Facts = list[Fact]
Plant = Callable[[Facts], object]


def _sound() -> Facts:
    """Four leads: nobody calls, all is done late, one rests, one is given up in time."""
    log = TimedLog(BUILT_IN)
    log.give(LATE, local("05-01 09:15"), captured("low", "chen", contact_title=""))
    log.give(BUSY, local("05-01 09:15"), captured("high", "chen"))
    log.give(RESTING, local("05-01 10:00"), captured("medium", "li"))
    log.give(GONE, local("05-01 10:00"), captured("medium", "li"))
    log.give(RESTING, local("05-01 22:00"), paused("05-08 10:00"))
    log.give(GONE, local("05-02 10:00"), given_up)
    log.give(BUSY, local("05-02 14:30"), contact(stage="方案提交"))
    log.give(BUSY, local("05-06 09:00"), contact())
    log.give(BUSY, local("05-07 09:00"), moved("商务谈判"))
    log.give(LATE, local("05-10 09:00"), assigned("wu"))
    log.sweep_all(END)
    return log.facts


def _at(facts: Facts, topic: str, lead: UUID = LATE) -> int:
    return next(n for n, f in enumerate(facts) if (f.topic, f.stream) == (topic, lead))


def _drop(topic: str, lead: UUID = LATE) -> Plant:
    return lambda facts: facts.pop(_at(facts, topic, lead))


def _double(topic: str) -> Plant:
    def plant(facts: Facts) -> None:
        at = _at(facts, topic)
        facts.insert(at, facts[at])

    return plant


def _say(topic: str, lead: UUID = LATE, **other: Any) -> Plant:
    def plant(facts: Facts) -> None:
        at = _at(facts, topic, lead)
        facts[at] = replace(facts[at], data=facts[at].data | other)

    return plant


def _record_early(facts: Facts) -> None:
    at = _at(facts, ESCALATED)
    facts[at] = replace(facts[at], recorded_at=local("05-04 09:14:59"))


def _swap(facts: Facts) -> None:
    one, other = _at(facts, BREACHED), _at(facts, ESCALATED)
    facts[one], facts[other] = facts[other], facts[one]


def _sweep_behind_the_contact(facts: Facts) -> None:
    breach = facts.pop(_at(facts, BREACHED, BUSY))
    facts.append(breach)


def _go_on_ringing(facts: Facts) -> None:
    """A clock of a lead that was given up rings all the same."""
    breach = facts[_at(facts, BREACHED, RESTING)]
    facts.append(replace(breach, stream=GONE, version=99))


def _move(facts: Facts) -> None:
    at = _at(facts, "lead.deadlines-moved", RESTING)
    clock = facts[at].data["clocks"][0] | {"due_at": "2024-05-09T00:00:00Z"}
    facts[at] = replace(facts[at], data=facts[at].data | {"clocks": [clock]})


def _forget_the_pause(facts: Facts) -> None:
    facts.pop(_at(facts, "lead.paused", RESTING))


PLANTS: dict[str, tuple[Plant, str]] = {
    "a breach dropped": (_drop(BREACHED), "missing: breached chen low"),
    "an escalation dropped": (_drop(ESCALATED), "missing: escalated chen"),
    "the last one dropped": (lambda facts: facts.pop(), "missing"),
    "an incompleteness dropped": (_drop("lead.info-completion-overdue"), "missing: incomplete"),
    "an overdue task dropped": (_drop("lead.task-overdue", BUSY), "missing: overdue 回访"),
    "a task never issued": (_drop(ISSUED), "missing: issued chen low"),
    "a revisit never asked for": (_drop("lead.task-scheduled", BUSY), "missing: scheduled 回访"),
    "a revisit never done": (_drop("lead.task-done", BUSY), "missing: done 回访"),
    "a response unnoticed": (_drop(MADE, BUSY), "missing: responded"),
    "a pause that never ends": (_drop("lead.resumed", RESTING), "missing: resumed"),
    "a breach twice": (_double(BREACHED), "too much: breached"),
    "an escalation twice": (_double(ESCALATED), "too much: escalated"),
    "an escalation ahead of its time": (_record_early, "early: escalated"),
    "a breach at another instant": (
        _say(BREACHED, occurred_at="2024-05-04T01:15:01+00:00"),
        "too much: breached",
    ),
    "escalated ahead of the breach": (_swap, "out of order"),
    "breached behind the contact": (_sweep_behind_the_contact, "missing: breached chen high"),
    "another one blamed": (_say(BREACHED, owner="wu"), "too much: breached wu low"),
    "another level blamed": (_say(BREACHED, level="high"), "too much: breached chen high"),
    "a task due too late": (
        _say(ISSUED, due_at="2024-05-05T01:15:00+00:00"),
        "too much: issued chen low 2024-05-05",
    ),
    "a clock moved to another instant": (_move, "was moved to 2024-05-09"),
    "another lateness": (_say(MADE, BUSY, late=5.0), "too much: responded 5.000000"),
    "a lead given up that rings": (_go_on_ringing, "too much: breached"),
    "time that runs in a pause": (_forget_the_pause, "too much: resumed"),
}


@pytest.mark.parametrize(("plant", "words"), PLANTS.values(), ids=PLANTS)
def test_planted_faults_of_time_are_found(plant: Plant, words: str) -> None:
    facts = _sound()
    assert time_faults(facts, WALL, END) == []
    plant(facts)
    assert words in "\n".join(time_faults(facts, WALL, END))


@pytest.mark.parametrize(
    "rules",
    [
        WORKING,
        Rules(due_hours={"high": 25, "medium": 48, "low": 72, "unrated": 24}),
        Rules(due_hours={"high": 24, "medium": 48, "low": 73, "unrated": 24}),
        Rules(escalate_hours=73),
        Rules(complete_hours=3),
        Rules(tasks={"方案提交": ("回访", 4)}),
        Rules(tasks={}),
    ],
)
def test_a_log_by_other_rules_is_found(rules: Rules) -> None:
    assert time_faults(_sound(), rules, END) != []


def test_what_may_have_been_recorded_by_now_need_not_be() -> None:
    """Until an instant all is there; what a sweep recorded behind it is no fault."""
    facts = _sound()
    assert time_faults(facts, WALL, local("05-04 09:14:59")) == []
    log = TimedLog(BUILT_IN)
    log.give(LATE, local("05-01 09:15"), captured("high", "chen"))
    assert time_faults(log.facts, WALL, local("05-02 09:14:59")) == []
    assert time_faults(log.facts, WALL, local("05-02 09:15")) != []


def test_a_level_that_nobody_heard_of_is_found() -> None:
    """A fact that is left out makes the schedule another one."""
    log = TimedLog(BUILT_IN)
    log.give(LATE, local("05-01 09:15"), captured("high", "chen"))
    log.give(LATE, local("05-01 12:00"), labelled("low"))
    log.sweep_all(END)
    assert time_faults(log.facts, WALL, END) == []
    log.facts.pop(_at(log.facts, "lead.label-overridden"))  # the label of the capture
    log.facts.pop(_at(log.facts, "lead.label-overridden"))
    assert time_faults(log.facts, WALL, END) != []
