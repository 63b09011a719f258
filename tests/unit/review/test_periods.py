"""When periodic duties fall due, at the boundaries of weeks, months and years: R71, R100, R109,
R119. The independent form walks the hours and asks the calendar what is new.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from random import Random
from zoneinfo import ZoneInfo

import pytest

from aggregates.review.periods import RECYCLING, Duty, duties, midnight, next_instant
from tests.seed import SEED

SHANGHAI = ZoneInfo("Asia/Shanghai")
SECOND = timedelta(seconds=1)


def local(*at: int, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime(*at, tzinfo=zone)  # type: ignore[arg-type, misc]


def after(at: datetime, number: int, zone: ZoneInfo = SHANGHAI) -> list[tuple[str, str, str]]:
    """The next duties but for recycling: the local midnight, the kind, the first day."""
    found = (duty for duty in duties(at, zone) if duty.kind != RECYCLING)
    return [
        (f"{d.at.astimezone(zone):%Y-%m-%d %H:%M}", d.kind, d.since.isoformat())
        for d in islice(found, number)
    ]


def test_the_last_day_of_february_is_the_calendars() -> None:
    """R100: 29 February in a leap year, 28 February otherwise, also in 2100."""
    assert after(local(2024, 2, 27), 2) == [
        ("2024-02-29 00:00", "clean-up", "2024-02-01"),
        ("2024-03-01 00:00", "monthly", "2024-02-01"),
    ]
    assert after(local(2023, 2, 27), 2)[0] == ("2023-02-28 00:00", "clean-up", "2023-02-01")
    assert after(local(2100, 2, 27), 2)[0] == ("2100-02-28 00:00", "clean-up", "2100-02-01")


def test_a_new_year_on_a_monday_has_them_all() -> None:
    """R71, R109, R119: one instant, in a fixed order; the quarter is that of the old year."""
    assert after(local(2023, 12, 31) - SECOND, 4) == [
        ("2023-12-31 00:00", "clean-up", "2023-12-01"),
        ("2024-01-01 00:00", "weekly", "2023-12-25"),
        ("2024-01-01 00:00", "monthly", "2023-12-01"),
        ("2024-01-01 00:00", "quarterly", "2023-10-01"),
    ]


@pytest.mark.parametrize("kind", ["weekly", "clean-up", "monthly", "quarterly", "recycling"])
def test_a_duty_is_due_at_its_midnight(kind: str) -> None:
    """R100, R109: one second before it lies ahead, at the instant and after it is over."""
    at, *_ = first = next(d for d in duties(local(2024, 3, 1), SHANGHAI) if d.kind == kind)
    same = [d for d in islice(duties(at - SECOND, SHANGHAI), 8) if d.kind == kind]
    assert same[0] == first
    for instant in (at, at + SECOND):
        later = next(d for d in duties(instant, SHANGHAI) if d.kind == kind)
        assert later.at > at and later.since >= first.until - timedelta(days=1)
    assert next_instant(at - SECOND, SHANGHAI).at == at


@pytest.mark.parametrize(
    ("zone", "day", "instant"),
    [
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00"),  # no midnight that day
        ("Atlantic/Azores", date(2024, 10, 27), "2024-10-27T00:00"),  # two midnights that day
        ("Europe/Berlin", date(2024, 4, 1), "2024-03-31T22:00"),
    ],
)
def test_a_change_of_the_clocks_loses_no_day(zone: str, day: date, instant: str) -> None:
    """R109: a day begins once, and no day begins twice."""
    where = ZoneInfo(zone)
    assert midnight(day, where) == datetime.fromisoformat(instant).replace(tzinfo=UTC)
    begins = midnight(day - timedelta(days=3), where) - SECOND
    days = [d.since for d in islice(duties(begins, where), 60) if d.kind == RECYCLING]
    assert days == [day + timedelta(days=n - 3) for n in range(len(days))]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/New_York"])
def test_years_of_duties_are_those_of_the_calendar(zone: str) -> None:
    """R71, R100, R109, R119: compared with a walk through every hour."""
    where, rng = ZoneInfo(zone), Random(SEED)
    begin = datetime(rng.randint(2000, 2090), rng.randint(1, 12), rng.randint(1, 28), tzinfo=UTC)
    end = begin + timedelta(days=500)
    found = takewhile(lambda d: d.at <= end, duties(begin, where))
    assert list(found) == list(walked(begin, end, where)), f"SEED={SEED}"


def walked(begin: datetime, end: datetime, zone: ZoneInfo) -> list[Duty]:
    """Every hour from one to the other: where another day is, its duties are due."""
    found, hour = [], timedelta(hours=1)
    at = begin + hour
    while at <= end:
        today, before = at.astimezone(zone).date(), (at - hour).astimezone(zone).date()
        if today != before:
            day = timedelta(days=1)
            found.append(Duty(at, "recycling", today, today + day))
            if (today + day).month != today.month:
                first = date(today.year, today.month, 1)
                found.append(Duty(at, "clean-up", first, today + day))
            if today.isoweekday() == 1:
                found.append(Duty(at, "weekly", today - 7 * day, today))
            if before.month != today.month:
                found.append(Duty(at, "monthly", date(before.year, before.month, 1), today))
                if before.month in (3, 6, 9, 12):
                    quarter = date(before.year, before.month - 2, 1)
                    found.append(Duty(at, "quarterly", quarter, today))
        at += hour
    return found
