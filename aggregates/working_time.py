"""How time is counted: every hour by the wall clock, or the company's working hours (A29)."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Protocol
from zoneinfo import ZoneInfo

from aggregates.policy.time import Calendar

MOST_DAYS = 3_660
"""How far a due instant is looked for: ten years."""

Interval = tuple[datetime, datetime]


class Timekeeping(Protocol):
    """Adds and measures stretches of time. Instants are UTC."""

    def after(self, start: datetime, length: timedelta) -> datetime:
        """The first instant by which `length` has been counted since `start`."""
        ...

    def between(self, start: datetime, end: datetime) -> timedelta:
        """What is counted from `start` to `end`; zero where `end` is not after `start`."""
        ...


class WallClock:
    """Every hour counts."""

    def after(self, start: datetime, length: timedelta) -> datetime:
        """`length` later."""
        return start + length

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How long that is."""
        return max(end - start, timedelta(0))


WALL = WallClock()


class WorkingTime:
    """The company's working hours count. `special` says which days are other than usual: True = a
    make-up working day, False = a holiday (调休).
    """

    def __init__(
        self, calendar: Calendar, zone: ZoneInfo, special: Callable[[date], bool | None]
    ) -> None:
        self._calendar, self._zone, self._special = calendar, zone, special
        self._intervals = [_times(interval) for interval in calendar.intervals]
        self._known: dict[date, tuple[Interval, ...]] = {}

    def after(self, start: datetime, length: timedelta) -> datetime:
        """The first working instant by which `length` has been counted; `start` if it is zero.

        ValueError if that is not within `MOST_DAYS`.
        """
        if length <= timedelta(0):
            return start
        for opens, closes in self._from(start):
            if length <= closes - opens:
                return opens + length
            length -= closes - opens
        raise ValueError(f"the calendar has too little working time in {MOST_DAYS} days")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from `start` to `end`."""
        spans = takewhile(lambda span: span[0] < end, self._from(start))
        return sum((min(closes, end) - opens for opens, closes in spans), timedelta(0))

    def intervals(self, day: date) -> tuple[Interval, ...]:
        """The working intervals of a local day, UTC, in order."""
        if day not in self._known:
            if len(self._known) > MOST_DAYS:
                self._known.clear()
            works = self.works_on(day)
            spans = [self._span(day, *times) for times in self._intervals] if works else []
            self._known[day] = tuple((opens, closes) for opens, closes in spans if opens < closes)
        return self._known[day]

    def works_on(self, day: date) -> bool:
        """The company's own exceptions come first, then the country's, then the weekday."""
        text = day.isoformat()
        if text in self._calendar.open or text in self._calendar.closed:
            return text in self._calendar.open
        special = self._special(day)
        return day.isoweekday() in self._calendar.weekdays if special is None else special

    def _from(self, start: datetime) -> Iterator[Interval]:
        """What is left of the working intervals from an instant on, bounded."""
        day = start.astimezone(self._zone).date()
        for n in range(MOST_DAYS):
            for opens, closes in self.intervals(day + timedelta(days=n)):
                if closes > start:
                    yield max(opens, start), closes

    def _span(self, day: date, opens: timedelta, closes: timedelta) -> Interval:
        midnight = datetime.combine(day, time())
        local = (midnight + opens, midnight + closes)
        first, last = (at.replace(tzinfo=self._zone).astimezone(UTC) for at in local)
        return first, last


def _times(interval: str) -> tuple[timedelta, timedelta]:
    opens, closes = (text.split(":") for text in interval.split("-"))
    return _since_midnight(*opens), _since_midnight(*closes)


def _since_midnight(hours: str, minutes: str) -> timedelta:
    return timedelta(hours=int(hours), minutes=int(minutes))
