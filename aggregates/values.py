"""Small value functions shared by the aggregates."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

LEAD_PREFIX = "XLSH"
FOLLOW_UP_PREFIX = "GJ"
CENT = Decimal("0.01")


def format_code(prefix: str, day: date, number: int) -> str:
    """A lead or follow-up code: prefix, local date of recording, number from 1.

    Three digits, widening after 999 and never wrapping (R72, R82, A23).

    >>> format_code("XLSH", date(2024, 5, 1), 1), format_code("XLSH", date(2024, 5, 1), 1000)
    ('XLSH20240501001', 'XLSH202405011000')
    """
    return f"{prefix}{day:%Y%m%d}{number:03d}"


def format_codes(prefix: str, day: date, numbers: Iterable[int]) -> Iterator[str]:
    """Many codes of one day, in order."""
    stem = f"{prefix}{day:%Y%m%d}"
    return (f"{stem}{number:03d}" for number in numbers)


def local_date(instant: datetime, zone: ZoneInfo) -> date:
    """The calendar date of an instant in the company's zone."""
    return instant.astimezone(zone).date()


def local_time(instant: datetime, zone: ZoneInfo) -> str:
    """An instant as people of the company read it, with its offset.

    >>> local_time(datetime.fromisoformat("2024-05-01T01:15:00.5+00:00"), ZoneInfo("Asia/Shanghai"))
    '2024-05-01T09:15:00+08:00'
    """
    return instant.astimezone(zone).isoformat(timespec="seconds")


def latest(a: datetime | None, b: datetime | None) -> datetime | None:
    """The later of two instants; an unknown one does not count."""
    return max(a, b) if a and b else a or b


def money(value: Decimal) -> Decimal:
    """An amount in the company currency, to the cent."""
    return value.quantize(CENT, ROUND_HALF_UP)
