"""Working hours, judged by a slow form that asks a clock on the wall minute by minute (A29)."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st

from adapters.holiday_calendar import PublicHolidays
from aggregates.policy.time import Calendar
from aggregates.working_time import WALL, Interval, WorkingTime
from tests.seed import SEED

CHINA = PublicHolidays().special("CN")
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
ZONES = [ZoneInfo(name) for name in (
    "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Asia/Beirut", "America/Havana",
    "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "UTC",
)]  # fmt: skip
"""Beirut and Havana change at midnight, Lord Howe by half an hour; Apia skipped a day in 2011,
where St. John's repeated an hour across midnight.
"""
DAYS = [
    date(2024, 4, 26),
    date(2024, 3, 29),
    date(2024, 11, 1),
    date(2011, 12, 28),
    date(2011, 11, 4),
]
HOUR, MINUTE, SECOND, NOTHING = (timedelta(seconds=n) for n in (3600, 60, 1, 0))


def usual(_: date) -> bool | None:
    """A country without holidays."""
    return None


def working(zone: ZoneInfo = SHANGHAI, **fields: object) -> WorkingTime:
    """The built-in calendar of China, or with other fields."""
    return WorkingTime(Calendar(**fields), zone, CHINA)  # type: ignore[arg-type]


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """A local time of 2024, as an instant."""
    return datetime.fromisoformat(f"2024-{text}").replace(tzinfo=zone).astimezone(UTC)


def local(instant: datetime, zone: ZoneInfo = SHANGHAI) -> str:
    """The other way round."""
    return instant.astimezone(zone).strftime("%m-%d %H:%M:%S")


# The slow form: no interval arithmetic, a look at the clock for every minute or second.


def counts(
    calendar: Calendar, zone: ZoneInfo, special: Callable[[date], bool | None], now: datetime
) -> bool:
    """Whether an instant is working time."""
    there = now.astimezone(zone)
    today = there.date().isoformat()
    if today in calendar.closed:
        return False
    if today not in calendar.open:
        other = special(there.date())
        if other is False or (other is None and there.isoweekday() not in calendar.weekdays):
            return False
    shown = there.strftime("%H:%M")
    return any(begin <= shown < end for begin, end in (i.split("-") for i in calendar.intervals))


def slowly(counted: Callable[[datetime], bool], start: datetime, end: datetime) -> timedelta:
    """What counts from start to end. Clocks change and intervals begin on the minute."""
    total, now = NOTHING, start
    while now < end:
        following = min(now.replace(second=0, microsecond=0) + MINUTE, end)
        total += following - now if counted(now) else NOTHING
        now = following
    return total


clock_times = st.lists(
    st.integers(0, 24 * 4).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}"),
    min_size=2, max_size=6, unique=True,
).map(sorted)  # fmt: skip
near = st.builds(lambda day, n: day + timedelta(days=n), st.sampled_from(DAYS), st.integers(-2, 9))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Any calendar: several intervals, some up to midnight, exceptions."""
    times = draw(clock_times)
    odd = draw(st.sets(near, max_size=4))
    closed = draw(st.sets(st.sampled_from(sorted(odd)))) if odd else set()
    return Calendar(
        intervals=tuple(f"{a}-{b}" for a, b in zip(times[::2], times[1::2], strict=False)),
        weekdays=tuple(draw(st.sets(st.integers(1, 7), min_size=1))),
        closed=tuple(sorted(day.isoformat() for day in closed)),
        open=tuple(sorted(day.isoformat() for day in odd - closed)),
    )


@st.composite
def instants(draw: st.DrawFn) -> datetime:
    """To the second, near holidays and changes of the clocks."""
    seconds = draw(st.integers(0, 86_399) | st.integers(0, 95).map(lambda quarter: 900 * quarter))
    return datetime.combine(draw(near), time(), UTC) + seconds * SECOND


lengths = st.integers(0, 3 * 86_400).map(lambda n: n * SECOND)
zones, specials = st.sampled_from(ZONES), st.sampled_from([CHINA, usual])
BEIRUT = Calendar(intervals=("00:00-01:30", "23:00-24:00"), weekdays=(1, 2, 3, 4, 5, 6, 7))


@seed(SEED)
@settings(deadline=None)
@given(calendars(), zones, specials, instants(), lengths)
@example(BEIRUT, ZoneInfo("Asia/Beirut"), usual, datetime(2024, 3, 30, 12, tzinfo=UTC), 24 * HOUR)
@example(BEIRUT, ZoneInfo("America/St_Johns"), usual, datetime(2011, 11, 5, tzinfo=UTC), 72 * HOUR)
@example(BEIRUT, ZoneInfo("Pacific/Apia"), usual, datetime(2011, 12, 28, tzinfo=UTC), 96 * HOUR)
def test_between_is_what_a_clock_on_the_wall_shows(
    calendar: Calendar, zone: ZoneInfo, special: Callable[[date], bool | None],
    start: datetime, length: timedelta,
) -> None:  # fmt: skip
    """A29: interval arithmetic against the slow form, in zones that change their clocks."""
    end = start + length
    found = WorkingTime(calendar, zone, special).between(start, end)
    assert found == slowly(lambda now: counts(calendar, zone, special, now), start, end), SEED


@seed(SEED)
@settings(deadline=None)
@given(
    calendars(), zones, specials, instants(), st.integers(1, 40 * 3600).map(lambda n: n * SECOND)
)
def test_after_is_the_first_instant_by_which_that_much_is_counted(
    calendar: Calendar, zone: ZoneInfo, special: Callable[[date], bool | None],
    start: datetime, length: timedelta,
) -> None:  # fmt: skip
    """A29: `between` gives the length back, and the last second before it counts."""
    keeping = WorkingTime(calendar, zone, special)
    end = keeping.after(start, length)
    assert keeping.between(start, end) == length, SEED
    assert keeping.between(start, end - SECOND) == length - SECOND, SEED
    assert counts(calendar, zone, special, end - SECOND), SEED


@seed(SEED)
@settings(deadline=None)
@given(calendars(), zones, specials, instants(), st.tuples(lengths, lengths))
def test_stretches_add_up(
    calendar: Calendar, zone: ZoneInfo, special: Callable[[date], bool | None],
    start: datetime, parts: tuple[timedelta, timedelta],
) -> None:  # fmt: skip
    """A29: what a pause leaves is what was not spent; what is over by an instant is due by then."""
    keeping = WorkingTime(calendar, zone, special)
    first, then, last = start, start + parts[0], start + sum(parts, NOTHING)
    spent, left = keeping.between(first, then), keeping.between(then, last)
    assert keeping.between(first, last) == spent + left, SEED
    assert keeping.between(last, first) == NOTHING or first == last, SEED
    assert keeping.after(first, spent) <= then, SEED
    if left:
        assert keeping.after(then, left) == keeping.after(first, spent + left), SEED


# Second by second, around every edge.

EDGES = [
    pytest.param("05-08 08:59:59", "05-08 09:00:00", 0, id="before the day"),
    pytest.param("05-08 09:00:00", "05-08 09:00:01", 1, id="at its start"),
    pytest.param("05-08 11:59:59", "05-08 12:00:00", 1, id="the last second before lunch"),
    pytest.param("05-08 11:59:59", "05-08 12:00:01", 1, id="into lunch"),
    pytest.param("05-08 12:00:00", "05-08 13:30:00", 0, id="lunch"),
    pytest.param("05-08 11:59:59", "05-08 13:30:01", 2, id="across lunch"),
    pytest.param("05-08 17:59:59", "05-09 09:00:01", 2, id="across midnight"),
    pytest.param("05-31 17:59:59", "06-03 09:00:01", 2, id="across a month's end and a weekend"),
    pytest.param("04-30 17:59:59", "05-06 09:00:01", 2, id="across 05-01 to 05-05"),
    pytest.param("04-28 08:59:59", "04-28 09:00:01", 1, id="a make-up Sunday"),
    pytest.param("05-11 17:59:59", "05-12 18:00:00", 1, id="a make-up Saturday, a free Sunday"),
    pytest.param("05-04 00:00:00", "05-06 00:00:00", 0, id="a weekend in a holiday"),
    pytest.param("02-29 17:59:59", "03-01 09:00:01", 2, id="a leap day"),
]


@pytest.mark.parametrize(("start", "end", "seconds"), EDGES)
def test_a_second_counts_or_does_not(start: str, end: str, seconds: int) -> None:
    """A29: one second before, at and after each edge."""
    assert working().between(at(start), at(end)) == seconds * SECOND


@pytest.mark.parametrize(
    ("start", "length", "due"),
    [
        ("05-08 09:00:00", 3 * HOUR - SECOND, "05-08 11:59:59"),
        ("05-08 09:00:00", 3 * HOUR, "05-08 12:00:00"),
        ("05-08 09:00:00", 3 * HOUR + SECOND, "05-08 13:30:01"),
        ("05-08 09:00:00", 7.5 * HOUR, "05-08 18:00:00"),
        ("05-08 09:00:00", 7.5 * HOUR + SECOND, "05-09 09:00:01"),
        ("05-08 12:30:00", SECOND, "05-08 13:30:01"),
        ("05-08 23:59:59", SECOND, "05-09 09:00:01"),
        ("05-31 18:00:00", SECOND, "06-03 09:00:01"),
        ("04-26 18:00:00", 7.5 * HOUR, "04-28 18:00:00"),
        ("04-28 18:00:00", 15 * HOUR + SECOND, "05-06 09:00:01"),
        ("05-10 18:00:00", 7.5 * HOUR, "05-11 18:00:00"),
        ("05-10 18:00:00", 7.5 * HOUR + SECOND, "05-13 09:00:01"),
        ("05-04 12:00:00", NOTHING, "05-04 12:00:00"),
        ("05-04 12:00:00", -HOUR, "05-04 12:00:00"),
    ],
)
def test_due_at_the_end_of_an_interval_is_due_then(start: str, length: timedelta, due: str) -> None:
    """A29: not when the next interval opens; nothing to count is due at once, at night as well."""
    assert local(working().after(at(start), length)) == f"{due}"


@pytest.mark.parametrize(
    ("fields", "day", "works", "why"),
    [
        ({}, "2024-05-06", True, "weekday"),
        ({}, "2024-05-12", False, "weekend"),
        ({}, "2024-05-01", False, "holiday"),
        ({}, "2024-04-28", True, "make-up"),
        ({}, "2024-05-11", True, "make-up"),
        ({"holidays": ""}, "2024-05-01", True, "weekday"),
        ({"holidays": ""}, "2024-05-11", False, "weekend"),
        ({"closed": ("2024-05-06",)}, "2024-05-06", False, "company"),
        ({"closed": ("2024-05-11",)}, "2024-05-11", False, "company"),
        ({"open": ("2024-05-12",)}, "2024-05-12", True, "company"),
        ({"open": ("2024-05-01",)}, "2024-05-01", True, "company"),
        ({"weekdays": (6, 7)}, "2024-05-01", False, "holiday"),
        ({"weekdays": (6, 7)}, "2024-05-06", False, "weekend"),
    ],
)
def test_the_company_comes_before_the_country_before_the_weekday(
    fields: dict[str, object],
    day: str,
    works: bool,
    why: str,
) -> None:
    """A29: exceptions of the company, holidays and make-up days (调休), weekdays."""
    calendar = Calendar(**fields)  # type: ignore[arg-type]
    keeping = WorkingTime(calendar, SHANGHAI, PublicHolidays().special(calendar.holidays))
    assert keeping.day(date.fromisoformat(day)) == (works, why)
    assert bool(keeping.intervals(date.fromisoformat(day))) == works


def test_an_hour_that_is_skipped_or_repeated() -> None:
    """A29: at night in Berlin an hour is missing on 2024-03-31 and comes twice on 2024-10-27."""
    keeping = WorkingTime(
        Calendar(intervals=("01:30-03:30",), weekdays=(7,)), BERLIN, usual
    )  # fmt: skip
    assert _hours(keeping.intervals(date(2024, 3, 31))) == 1
    assert _hours(keeping.intervals(date(2024, 10, 20))) == 2
    assert _hours(keeping.intervals(date(2024, 10, 27))) == 3
    due = keeping.after(at("03-31 00:00:00", BERLIN), HOUR)
    assert local(due, BERLIN) == "03-31 03:30:00"
    due = keeping.after(at("10-27 00:00:00", BERLIN), 1.5 * HOUR)
    assert (local(due, BERLIN), due) == ("10-27 02:00:00", datetime(2024, 10, 27, 1, tzinfo=UTC))


def _hours(spans: tuple[Interval, ...]) -> float:
    return sum((closes - opens for opens, closes in spans), NOTHING) / HOUR


@pytest.mark.parametrize("days", [19, 35])
def test_a_long_span_looks_at_each_day_once(days: int) -> None:
    """beyond: a span of weeks costs its days, not its seconds, and a second time nothing."""
    asked: list[date] = []

    def special(day: date) -> bool | None:
        asked.append(day)
        return CHINA(day)

    keeping = WorkingTime(Calendar(), SHANGHAI, special)
    start = at("05-01 09:15:00")
    spent = keeping.between(start, start + timedelta(days=days))
    assert len(asked) == len(set(asked)) <= days + 1
    assert keeping.after(start, spent) <= start + timedelta(days=days)
    assert len(asked) <= days + 1, "known from the first time"


def test_a_lead_of_a_holiday_is_answered_in_time() -> None:
    """beyond: a lead of 05-01, a holiday, is answered on 05-06 at 10:00: that took one hour."""
    assert working().between(at("05-01 09:15:00"), at("05-06 10:00:00")) == HOUR


def test_a_calendar_without_enough_time_does_not_hang() -> None:
    """beyond: the search for a due instant ends and says what to do."""
    asked: list[date] = []

    def never(day: date) -> bool | None:
        asked.append(day)
        return False

    keeping = WorkingTime(Calendar(), SHANGHAI, never)
    with pytest.raises(ValueError, match="activate one with more intervals"):
        keeping.after(at("05-01 09:15:00"), SECOND)
    assert len(asked) == 3_660
    assert keeping.between(at("05-01 09:15:00"), at("05-20 09:15:00")) == NOTHING


def test_by_the_wall_clock_every_hour_counts() -> None:
    """A29: the default."""
    start = at("04-30 18:00:00")
    assert WALL.after(start, 24 * HOUR) == start + 24 * HOUR
    assert WALL.between(start, start + 24 * HOUR) == 24 * HOUR
    assert WALL.between(start + HOUR, start) == NOTHING
