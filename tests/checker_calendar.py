"""Time as the company counts it, for the checker: written by hand for 2024, no product code.

Working hours are 09:00-12:00 and 13:30-18:00 in Shanghai, which is eight hours ahead of UTC.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))
OFF = {
    *(date(2024, 1, 1), *(date(2024, 2, d) for d in range(10, 18))),
    *(date(2024, 4, d) for d in range(4, 7)),
    *(date(2024, 5, d) for d in range(1, 6)),
    *(date(2024, 6, 10), *(date(2024, 9, d) for d in range(15, 18))),
    *(date(2024, 10, d) for d in range(1, 8)),
}
"""The public holidays of China in 2024, as the State Council announced them."""
MADE_UP = {
    date(2024, 2, 4), date(2024, 2, 18), date(2024, 4, 7), date(2024, 4, 28), date(2024, 5, 11),
    date(2024, 9, 14), date(2024, 9, 29), date(2024, 10, 12),
}  # fmt: skip
"""Weekend days on which people worked instead (调休)."""
HOURS = ((9, 0, 12, 0), (13, 30, 18, 0))

Span = tuple[datetime, datetime]


def end_of_day(day: date) -> datetime:
    """The first instant behind a local day, UTC."""
    after = day + timedelta(days=1)
    return datetime(after.year, after.month, after.day, tzinfo=CHINA).astimezone(UTC)


def counted(
    start: datetime, length: timedelta, stops: Sequence[Span], *, working: bool
) -> datetime:
    """The first instant at which `length` has run since `start`; `stops` do not count, in order."""
    spans = _working(start) if working else iter([(start, start + timedelta(days=9000))])
    for begin, end in _without(spans, stops):
        if length <= end - begin:
            return begin + length
        length -= end - begin
    raise AssertionError("there is not that much time")


def _working(start: datetime) -> Iterator[Span]:
    day = start.astimezone(CHINA).date()
    for _ in range(1000):
        if day in MADE_UP or (day.weekday() < 5 and day not in OFF):
            for opens, minute, closes, last in HOURS:
                begin = datetime(day.year, day.month, day.day, opens, minute, tzinfo=CHINA)
                end = datetime(day.year, day.month, day.day, closes, last, tzinfo=CHINA)
                if end > start:
                    yield max(begin.astimezone(UTC), start), end.astimezone(UTC)
        day += timedelta(days=1)


def _without(spans: Iterator[Span], stops: Sequence[Span]) -> Iterator[Span]:
    """The parts of the spans in which nothing stood still."""
    for begin, end in spans:
        cuts = [(s, e) for s, e in stops if s < end and e > begin]
        edges = [begin, *(edge for cut in cuts for edge in cut), end]
        for since, until in zip(edges[::2], edges[1::2], strict=True):
            if since < until:
                yield since, until
