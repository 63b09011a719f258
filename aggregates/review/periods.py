"""When the company's periodic duties fall due, and for which period: midnights of its own zone.

A week is over on Monday, a month on the 1st, a quarter on the 1st of January, April, July and
October; the clean-up falls on the last day of each month, recycling on every day (R71, R100, R109,
R119). A midnight that a change of the clocks leaves out is the instant of that change.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import dropwhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

from aggregates.values import local_date

WEEKLY, MONTHLY, QUARTERLY = "weekly", "monthly", "quarterly"
CLEAN_UP, RECYCLING = "clean-up", "recycling"
MONDAY = 0
DAY = timedelta(days=1)


class Duty(NamedTuple):
    """What is to be done at an instant, UTC, for the period [since, until) of local dates."""

    at: datetime
    kind: str
    since: date
    until: date

    @property
    def month(self) -> str:
        """The month that the period begins in, YYYY-MM."""
        return f"{self.since:%Y-%m}"


def next_instant(after: datetime, zone: ZoneInfo) -> Duty:
    """The first duty behind an instant; further ones of the same instant follow in `duties`."""
    return next(duties(after, zone))


def duties(after: datetime, zone: ZoneInfo) -> Iterator[Duty]:
    """Every duty behind an instant, in order, for ever."""
    return dropwhile(lambda duty: duty.at <= after, _from(local_date(after, zone), zone))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a local day begins, UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _from(day: date, zone: ZoneInfo) -> Iterator[Duty]:
    while True:
        at = midnight(day, zone)
        yield from (Duty(at, *period) for period in _periods(day))
        day += DAY


def _periods(day: date) -> Iterator[tuple[str, date, date]]:
    """What is due at the beginning of a day. Leads go to the pool before anybody looks at them."""
    yield RECYCLING, day, day + DAY
    if (day + DAY).day == 1:
        yield CLEAN_UP, day.replace(day=1), day + DAY
    if day.weekday() == MONDAY:
        yield WEEKLY, day - 7 * DAY, day
    if day.day == 1:
        yield MONTHLY, months_before(day, 1), day
        if day.month % 3 == 1:
            yield QUARTERLY, months_before(day, 3), day


def months_before(first: date, months: int) -> date:
    """The first of the month so many months before the one that begins on `first`."""
    number = first.year * 12 + first.month - 1 - months
    return date(number // 12, number % 12 + 1, 1)
