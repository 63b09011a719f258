"""Values out of a history file: JSON, instants, texts and amounts, strict and exact.

Whatever cannot be stored or would be stored as something else is `Broken`, with the reason that
its user reads. null and "" count as not given: a missing key changes nothing.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

LONGEST_SHORT = 500
DEEPEST = 20
MOST_DIGITS = 15
MOST_DECIMALS = 20
LARGEST_WHOLE = 10**300


class Broken(Exception):  # noqa: N818 - it describes the row
    """A row that cannot be taken in as it is; the text says why."""


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")


_json: Callable[[str], Any] = json.JSONDecoder(
    parse_float=Decimal, parse_constant=_no_number
).decode


def json_object(text: str) -> dict[str, Any]:
    """The keys that are given, fractions as Decimals; the last of a repeated key counts."""
    try:
        value = _json(text)
    except ValueError as error:
        raise Broken(f"data is not JSON: {error}") from None
    except RecursionError:
        raise Broken("data is nested too deeply") from None
    if type(value) is not dict:
        raise Broken('data is a JSON object such as {"channel": "website"}')
    return {storable(k): v for k, v in value.items() if v is not None and v != ""}


def instant(text: str, zone: ZoneInfo) -> datetime | None:
    """An ISO 8601 time in UTC; without an offset it is local to the zone, empty is unknown."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Broken(f"ts {text[:40]!r} is no time such as 2024-05-01T09:15:00+08:00") from None


def storable(text: str) -> str:
    """The text itself; PostgreSQL holds neither NUL nor half of a surrogate pair."""
    if "\0" in text:
        raise Broken("a text holds the character NUL, which cannot be stored")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Broken("a text holds half of a surrogate pair, which cannot be stored") from None
    return text


def free_text(key: str, value: Any) -> str:
    """A text of any length; a number or a truth value is taken as it is written in JSON."""
    if type(value) is str:
        return storable(value)
    if type(value) is bool:
        return str(value).lower()
    if isinstance(value, int | Decimal):
        return str(value)
    raise Broken(f"{key} is a text, not a list or an object")


def short_text(key: str, value: Any) -> str:
    """A text short enough to stand in an index."""
    text = free_text(key, value)
    if len(text) > LONGEST_SHORT:
        raise Broken(f"{key} is longer than {LONGEST_SHORT} characters")
    return text


def attribute(value: Any, depth: int = 0) -> Any:
    """A value of any JSON type, which it keeps."""
    if type(value) is str:
        return storable(value)
    if isinstance(value, Decimal):
        return _number(value)
    if type(value) is int and abs(value) > LARGEST_WHOLE:
        raise Broken("a number is too large")
    if depth == DEEPEST and isinstance(value, dict | list):
        raise Broken(f"data is nested more than {DEEPEST} deep")
    if type(value) is dict:
        return {storable(k): attribute(v, depth + 1) for k, v in value.items()}
    if type(value) is list:
        return [attribute(v, depth + 1) for v in value]
    return value


def _number(value: Decimal) -> float:
    number = float(value)
    if not isfinite(number):
        raise Broken("a number is too large")
    return number


_PLAIN = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def amount(value: Any) -> Decimal:
    """An amount of money exactly as given, a JSON number or a plain decimal in quotes.

    It may be negative: a history may hold refunds.
    """
    plain = isinstance(value, int | Decimal) and type(value) is not bool
    if not plain and not (type(value) is str and _PLAIN.fullmatch(value)):
        raise Broken(f"amount {str(value)[:40]!r} is no number such as 85000.50")
    exact = Decimal(value)
    exponent = exact.as_tuple().exponent
    assert isinstance(exponent, int), "neither JSON nor a plain decimal is infinite"
    if exact.adjusted() >= MOST_DIGITS or -exponent > MOST_DECIMALS:
        raise Broken(f"an amount has at most {MOST_DIGITS} digits and {MOST_DECIMALS} decimals")
    return exact.quantize(Decimal(1)) if exponent > 0 else exact
