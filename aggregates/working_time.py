"""How time is counted: every hour by the wall clock, or the company's working hours (A29)."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Literal, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from aggregates.policy.time import Calendar

MOST_DAYS = 3_660
"""How far a due instant is looked for: ten years."""
DAY, SECOND, NOTHING = timedelta(days=1), timedelta(seconds=1), timedelta(0)

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
        return max(end - start, NOTHING)


WALL = WallClock()


class Day(NamedTuple):
    """Whether a local day is worked, and what says so."""

    works: bool
    why: Literal["weekday", "weekend", "holiday", "make-up", "company"]


class WorkingTime:
    """The company's working hours count: what its clocks show within an interval of a working day.

    `special` says which days are other than usual: True = a make-up working day, False = a
    holiday (调休). An hour that the clocks skip does not count, one that they repeat counts twice.
    """

    def __init__(
        self, calendar: Calendar, zone: ZoneInfo, special: Callable[[date], bool | None]
    ) -> None:
        self._weekdays, self._zone, self._special = frozenset(calendar.weekdays), zone, special
        self._open, self._closed = frozenset(calendar.open), frozenset(calendar.closed)
        self._intervals = [_times(interval) for interval in calendar.intervals]
        self._known: dict[date, tuple[Interval, ...]] = {}

    def after(self, start: datetime, length: timedelta) -> datetime:
        """The first instant by which `length` has been counted; `start` if it is zero.

        So what is due when an interval ends is due then, not when the next one opens. ValueError
        if that is not within `MOST_DAYS`.
        """
        if length <= NOTHING:
            return start
        for opens, closes in self._from(start, MOST_DAYS):
            if length <= closes - opens:
                return opens + length
            length -= closes - opens
        raise ValueError(
            f"the calendar lacks working time: {length} are left to count after {MOST_DAYS} days;"
            " activate one with more intervals or weekdays, or fewer closed days"
        )

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from `start` to `end`; looks at each local day between them once."""
        left = self._from(start, (end - start).days + 3)
        spans = takewhile(lambda span: span[0] < end, left)
        return sum((min(closes, end) - opens for opens, closes in spans), NOTHING)

    def intervals(self, day: date) -> tuple[Interval, ...]:
        """The working intervals of a local day, UTC, in order. One in which the clocks change is
        two, one up to the change and one from there.
        """
        if day not in self._known:
            if len(self._known) > MOST_DAYS:
                self._known.clear()
            spans = self._spans(day) if self.day(day).works else ()
            self._known[day] = tuple((opens, closes) for opens, closes in spans if opens < closes)
        return self._known[day]

    def day(self, day: date) -> Day:
        """The company's own exceptions come first, then the country's, then the weekday."""
        text = day.isoformat()
        if text in self._open or text in self._closed:
            return Day(text in self._open, "company")
        special = self._special(day)
        if special is not None:
            return Day(special, "make-up" if special else "holiday")
        works = day.isoweekday() in self._weekdays
        return Day(works, "weekday" if works else "weekend")

    def _from(self, start: datetime, days: int) -> Iterator[Interval]:
        """What is left of the working intervals from an instant on, for so many local days."""
        day = start.astimezone(self._zone).date()
        for n in range(days):
            for opens, closes in self.intervals(day + timedelta(days=n)):
                if closes > start:
                    yield max(opens, start), closes

    def _spans(self, day: date) -> Iterator[Interval]:
        midnight = datetime.combine(day, time(), UTC)
        earlier, later = midnight - DAY, midnight + 2 * DAY  # around the day in every zone
        before, then = self._offset(earlier), self._offset(later)
        if before == then:
            yield from ((midnight + a - before, midnight + b - before) for a, b in self._intervals)
        else:
            change = self._change(earlier, later, before)
            for a, b in self._intervals:
                yield midnight + a - before, min(midnight + b - before, change)
            for a, b in self._intervals:
                yield max(midnight + a - then, change), midnight + b - then

    def _change(self, earlier: datetime, later: datetime, before: timedelta) -> datetime:
        """The second from which on the clocks are not that far from UTC any more."""
        while later - earlier > SECOND:
            middle = earlier + (later - earlier) // (2 * SECOND) * SECOND
            if self._offset(middle) == before:
                earlier = middle
            else:
                later = middle
        return later

    def _offset(self, at: datetime) -> timedelta:
        return at.astimezone(self._zone).utcoffset() or NOTHING


def _times(interval: str) -> tuple[timedelta, timedelta]:
    opens, closes = (text.split(":") for text in interval.split("-"))
    return _since_midnight(*opens), _since_midnight(*closes)


def _since_midnight(hours: str, minutes: str) -> timedelta:
    return timedelta(hours=int(hours), minutes=int(minutes))
