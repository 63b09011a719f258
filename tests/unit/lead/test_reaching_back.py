"""How far back a clock may have begun that still runs: by the rules in force (R38, R53, A29)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from aggregates.lead.timers import FIRST_FOLLOW_UP
from aggregates.policy.time import Calendar
from aggregates.policy.work import FollowOnTask, Pipeline
from aggregates.working_time import MOST_DAYS
from tests.unit.lead.timed import BUILT_IN, by_response, local, shown, timing_by

NOW = local("05-20 10:00")
DAY = timedelta(days=1)
SCARCE = Calendar(intervals=("09:00-10:00",), weekdays=(1,), holidays="")
LONG_TASK = Pipeline(tasks=(FollowOnTask(stage="方案提交", task="回访", after_days=200),))


def test_built_in_rules_reach_three_days_back() -> None:
    """R40, R53: an escalation and a revisit after 72 hours."""
    assert shown(timing_by(BUILT_IN).reaches_back(NOW)) == "05-17 10:00"


def test_the_longest_limit_counts() -> None:
    """R38, R40, R53: of a level, of the escalation, of a stage's task."""
    for rules in ({"low_hours": 2400}, {"low_escalate_after_hours": 2400}):
        assert timing_by(by_response(**rules)).reaches_back(NOW) == NOW - 100 * DAY
    pipeline = replace(BUILT_IN.pipeline, rules=LONG_TASK)
    tasks = timing_by(replace(BUILT_IN, pipeline=pipeline))
    assert tasks.reaches_back(NOW) == NOW - 200 * DAY


@pytest.mark.parametrize("hours", [1, 24, 72, 700, 8784])
@pytest.mark.parametrize("calendar", [Calendar(), SCARCE])
def test_working_time_stretches_it(calendar: Calendar, hours: int) -> None:
    """A29: a clock that began before is not due behind now, if it can be counted at all."""
    rules: dict[str, Any] = {f"{level}_hours": hours for level in ("high", "medium", "low")}
    policies = by_response(
        clock="working", unrated_hours=hours, escalate_after_hours=hours, **rules
    )
    policies = replace(policies, calendar=replace(policies.calendar, rules=calendar))
    timing = timing_by(policies)
    since = timing.reaches_back(NOW)
    assert since >= NOW - MOST_DAYS * DAY
    if since > NOW - MOST_DAYS * DAY:
        due_at = timing.clock(FIRST_FOLLOW_UP).after(since, timedelta(hours=hours))
        assert due_at <= NOW
