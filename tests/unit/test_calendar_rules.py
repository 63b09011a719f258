"""Holidays of a country, and which rules of time may come into force (A29)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapters.holiday_calendar import PublicHolidays
from aggregates.policy.book import InForce, Policies
from aggregates.policy.time import Calendar
from aggregates.working_time import WorkingTime
from commands.company.rule_time import require_working_time
from commands.policy_documents import InvalidPolicy, dotted, read
from tests.checker_calendar import MADE_UP, OFF

NOW = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
EVERY_DAY = [(date(2024, 1, 1) + timedelta(days=n)).isoformat() for n in range(4_400)]
SLOW = {"intervals": ["09:00-09:01"], "weekdays": [1]}
"""52 minutes a year."""
SCARCE = {"intervals": ["09:00-10:00"]}
"""250 hours a year."""
WORKING = {"clock": "working"}


def test_every_day_of_2024_is_as_the_state_council_announced_it() -> None:
    """A29: against a list written by hand; 05-01 to 05-05 off, 04-28 and 05-11 made up for."""
    keeping = WorkingTime(Calendar(), ZoneInfo("Asia/Shanghai"), PublicHolidays().special("CN"))
    for n in range(366):
        day = date(2024, 1, 1) + timedelta(days=n)
        assert keeping.day(day).works == (day in MADE_UP or (day.weekday() < 5 and day not in OFF))


def test_a_year_that_is_not_announced_has_the_statutory_days_alone() -> None:
    """A29: no make-up days are made up; 05-01 is a holiday whatever is announced."""
    special = PublicHolidays().special("CN")
    days = [date(2090, 1, 1) + timedelta(days=n) for n in range(365)]
    assert not any(special(day) for day in days)
    assert special(date(2090, 5, 1)) is False
    assert PublicHolidays().special("")(date(2024, 5, 1)) is None


def checked(kind: str, document: Mapping[str, Any], **in_force: Mapping[str, Any]) -> None:
    """Rules that are to come into force, beside others."""
    policies = Policies()
    others = {
        name: InForce(read(name, rules), getattr(policies, name).ref)
        for name, rules in in_force.items()
    }
    rules = read(kind, document)
    require_working_time(rules, replace(policies, **others), PublicHolidays(), NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "document", "in_force", "fault"),
    [
        ("calendar", {"holidays": "XX"}, {}, "holidays: XX is no country"),
        ("calendar", {"closed": EVERY_DAY}, {}, ": the calendar lacks working time"),
        ("calendar", SLOW, {"response": WORKING}, ": the calendar lacks working time"),
        ("response", WORKING, {"calendar": SLOW}, ": the calendar lacks working time"),
        (
            "response",
            {**WORKING, "low_escalate_after_hours": 8_000},
            {"calendar": SCARCE},
            ": the calendar lacks working time",
        ),
        (
            "response",
            {**WORKING, "high_hours": 8_000},
            {"calendar": SCARCE},
            ": the calendar lacks working time",
        ),
        (
            "completeness",
            {"complete_within_minutes": 60 * 8_000},
            {"response": WORKING, "calendar": SCARCE},
            ": the calendar lacks working time",
        ),
    ],
)
def test_what_could_never_ring_does_not_come_into_force(
    kind: str, document: Mapping[str, Any], in_force: Mapping[str, Any], fault: str
) -> None:
    """A29, beyond: refused when it is activated, so that no lead waits for a search in vain."""
    with pytest.raises(InvalidPolicy) as refused:
        checked(kind, document, **in_force)
    ((path, what),) = refused.value.problems
    assert f"{dotted(path)}: {what}".startswith(fault)
    assert "activate one with more" in what or "name another one" in what


@pytest.mark.parametrize(
    ("kind", "document", "in_force"),
    [
        ("calendar", {"holidays": "DE"}, {"response": WORKING}),
        ("calendar", {"holidays": ""}, {}),
        ("calendar", {"closed": EVERY_DAY[:700]}, {}),
        ("calendar", SLOW, {}),
        ("response", WORKING, {}),
        ("response", {"clock": "wall", "high_hours": 8_000}, {"calendar": SLOW}),
        ("pause", {}, {"calendar": SLOW}),
    ],
)
def test_whatever_rings_some_day_may(
    kind: str, document: Mapping[str, Any], in_force: Mapping[str, Any]
) -> None:
    """A29: by the wall clock the calendar has no say."""
    checked(kind, document, **in_force)
