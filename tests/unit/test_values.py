"""Codes, local dates, money: R72, R82, A23, golden case 6."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from aggregates.values import FOLLOW_UP_PREFIX, LEAD_PREFIX, format_code, local_date, money

DAY = date(2024, 5, 1)
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (1, "XLSH20240501001"),
        (999, "XLSH20240501999"),
        (1000, "XLSH202405011000"),
        (123456, "XLSH20240501123456"),
    ],
)
def test_lead_codes_widen_and_never_wrap(number: int, code: str) -> None:
    """Golden case 6; R72, A23."""
    assert format_code(LEAD_PREFIX, DAY, number) == code


def test_follow_up_codes_look_the_same() -> None:
    """R82; a day of one digit keeps its zero."""
    assert format_code(FOLLOW_UP_PREFIX, DAY, 1) == "GJ20240501001"


def test_codes_of_different_days_and_numbers_never_meet() -> None:
    """R72: unique as far as prefix, day and number are, also past 999."""
    days = [date(2024, 1, 1), date(2024, 1, 11), date(2024, 11, 1), date(2024, 10, 11)]
    numbers = [1, 11, 101, 110, 999, 1000, 1001, 10000, 10001, 11000]
    codes = [format_code(LEAD_PREFIX, day, number) for day in days for number in numbers]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("utc", "local"),
    [("2024-05-01T15:59:59+00:00", DAY), ("2024-05-01T16:00:00+00:00", date(2024, 5, 2))],
)
def test_the_day_is_the_companys(utc: str, local: date) -> None:
    """A20, A23: the date of an instant is read off the company's clock."""
    assert local_date(datetime.fromisoformat(utc).astimezone(UTC), SHANGHAI) == local


@pytest.mark.parametrize(
    ("value", "cents"),
    [("80000", "80000.00"), ("0.005", "0.01"), ("2.675", "2.68"), ("-0.005", "-0.01")],
)
def test_money_has_two_decimals(value: str, cents: str) -> None:
    """R62, R97: half a cent is rounded away from zero."""
    assert str(money(Decimal(value))) == cents
