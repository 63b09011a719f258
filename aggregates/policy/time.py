"""Rules for the clock: response times and calendars. What they mean is the processes' business."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain
from typing import Literal

from aggregates.policy.checks import HOURS, above_zero_up_to, named_apart, some
from aggregates.policy.entry import LEVELS

_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d"
INTERVAL = re.compile(f"{_TIME}-(?:{_TIME}|24:00)", re.ASCII)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """First follow-up due after assignment by level, escalation after that (R38-R40, R104-R106,
    A10). Hours, above 0 and at most a year's; an `*_escalate_after_hours` is for that level in
    place of the one for all (A11). `clock`: whether every hour counts, or those of the calendar;
    it holds for completing information as well. `late_reasons` are offered for being late (R42).
    """

    high_hours: int = 24
    medium_hours: int = 48
    low_hours: int = 72
    unrated_hours: int = 24
    escalate_after_hours: int = 72
    high_escalate_after_hours: int | None = None
    medium_escalate_after_hours: int | None = None
    low_escalate_after_hours: int | None = None
    unrated_escalate_after_hours: int | None = None
    clock: Literal["wall", "working"] = "wall"
    late_reasons: tuple[str, ...] = ("客户未接听", "出差", "客户要求改期", "其他")

    def __post_init__(self) -> None:
        named_apart("late_reasons", self.late_reasons)
        some("late_reasons", self.late_reasons)
        above_zero_up_to(
            HOURS,
            high_hours=self.high_hours,
            medium_hours=self.medium_hours,
            low_hours=self.low_hours,
            unrated_hours=self.unrated_hours,
            escalate_after_hours=self.escalate_after_hours,
        )
        for level in LEVELS:
            name = f"{level}_escalate_after_hours"
            if (hours := getattr(self, name)) is not None:
                above_zero_up_to(HOURS, **{name: hours})

    @property
    def longest(self) -> timedelta:
        """The longest of all these limits."""
        limits = [(self.due_within(level), self.escalate_within(level)) for level in LEVELS]
        return max(chain(*limits))

    def due_within(self, level: str) -> timedelta:
        """How long the owner has to reach the customer."""
        hours: int = getattr(self, f"{level}_hours")
        return timedelta(hours=hours)

    def escalate_within(self, level: str) -> timedelta:
        """After how long the supervisor is told."""
        hours: int | None = getattr(self, f"{level}_escalate_after_hours")
        return timedelta(hours=hours or self.escalate_after_hours)


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """Working time: intervals HH:MM-HH:MM, in order, of ISO weekdays 1..7.

    `holidays` is the country whose public holidays and make-up working days hold (empty = none);
    `closed` and `open` are dates YYYY-MM-DD that are different, whatever else says.
    """

    intervals: tuple[str, ...] = ("09:00-12:00", "13:30-18:00")
    weekdays: tuple[int, ...] = (1, 2, 3, 4, 5)
    holidays: str = "CN"
    closed: tuple[str, ...] = ()
    open: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.intervals or not self.weekdays or not set(self.weekdays) <= set(range(1, 8)):
            raise ValueError("a calendar needs working time: intervals, and weekdays 1..7")
        _require_order(self.intervals)
        if self.holidays and not re.fullmatch("[A-Z]{2}", self.holidays):
            raise ValueError("holidays is a country such as CN, or empty")
        for day in (*self.closed, *self.open):
            if not _is_date(day):
                raise ValueError(f"{day} is no date such as 2024-05-01")
        if both := set(self.closed) & set(self.open):
            raise ValueError(f"{min(both)} is closed and open")


def _require_order(intervals: tuple[str, ...]) -> None:
    times = [time for interval in intervals for time in interval.split("-")]
    if (
        not all(INTERVAL.fullmatch(interval) for interval in intervals)
        or sorted(set(times)) != times
    ):
        raise ValueError("intervals are such as 09:00-12:00, one behind the other")


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return DAY.fullmatch(text) is not None
