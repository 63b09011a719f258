"""What the fields of commands may hold: checked for shape here, judged by the aggregate later.

Unknown fields are refused. Text is stripped; optional text that is blank counts as not given.
Times carry an offset and become UTC; dates are local dates of the company. Money is a decimal
string in the company currency with at most two decimals, never a float.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
)

from aggregates.lead.events import PROFILE
from aggregates.privacy import holds_contact
from aggregates.values import money
from commands import contact

MAX_ATTRIBUTES = 50
MAX_ATTRIBUTE_LENGTH = 1000
EXACT = 2**53  # up to here every JSON reader keeps a number exactly
NO_NUL = r"^[^\x00]*$"  # PostgreSQL stores no NUL
RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
MONEY = r"\d{1,12}(\.\d{1,2})?"


def _year(at: date) -> date:
    if not 1900 <= at.year <= 2200:
        raise ValueError("the year must lie between 1900 and 2200")
    return at


def instant(value: Any) -> datetime:
    """An aware datetime, or an RFC 3339 text with an offset, as UTC; ValueError otherwise."""
    at = value
    if isinstance(value, str) and RFC_3339.fullmatch(value):
        at = datetime.fromisoformat(value.upper())
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise ValueError("give a time with its offset, such as 2024-05-01T09:15:00+08:00")
    _year(at)
    return at.astimezone(UTC)


def _local_time(value: Any) -> time:
    if isinstance(value, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value, re.ASCII):
        return time.fromisoformat(value)
    raise ValueError("give a local time of the day such as 22:00")


def _money(amount: Any) -> Decimal:
    text = format(amount, "f") if isinstance(amount, Decimal) else str(amount)
    if not isinstance(amount, str | int | Decimal) or not re.fullmatch(MONEY, text, re.ASCII):
        raise ValueError('give an amount >= 0 as a decimal string such as "85000.00"')
    return money(Decimal(text))


def _scalar(value: Any) -> str | bool | int | float:
    match value:
        case str() if len(value) <= MAX_ATTRIBUTE_LENGTH and "\0" not in value:
            return value.strip()
        case bool():
            return value
        case int() | float() if -EXACT < value < EXACT:
            return value
    raise ValueError(
        f"an attribute is a text of at most {MAX_ATTRIBUTE_LENGTH} characters, a number"
        " below 2^53 or a boolean: give longer numbers, such as ids, as text"
    )


def _own_names(attributes: dict[str, Any]) -> dict[str, Any]:
    if taken := sorted(attributes.keys() & set(PROFILE)):
        raise ValueError(f"{taken[0]} is a field of the lead: it cannot be an attribute")
    return dict(sorted(attributes.items()))  # the same attributes have the same fingerprint


def _class(value: str) -> str:
    if holds_contact(value):
        raise ValueError("a phone number or an e-mail address has its own field, phone or email")
    return value


def text(longest: int, shortest: int = 0, pattern: str = NO_NUL) -> StringConstraints:
    """A text of so many characters that matches a pattern."""
    return StringConstraints(min_length=shortest, max_length=longest, pattern=pattern)


Name = Annotated[str, text(100, 1)]
Label = Annotated[str, text(100)]
Class = Annotated[str, text(100), AfterValidator(_class)]
Reason = Annotated[str, text(500, 1)]
Note = Annotated[str, text(500)]
Text = Annotated[str, text(8000)]
At = Annotated[datetime, BeforeValidator(instant)]
Day = Annotated[date, AfterValidator(_year)]
LocalTime = Annotated[
    time,
    PlainValidator(_local_time),
    PlainSerializer(lambda at: at.isoformat("minutes"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d\d:\d\d$"}),
]
Phone = Annotated[str, text(50), AfterValidator(lambda given: given and contact.phone(given))]
Email = Annotated[str, text(254), AfterValidator(lambda given: given and contact.email(given))]
Money = Annotated[
    Decimal,
    PlainValidator(_money),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{MONEY}$"}),
]
Scalar = Annotated[
    str | bool | int | float,
    PlainValidator(_scalar),
    WithJsonSchema({"type": ["string", "number", "boolean"]}),
]
Attributes = Annotated[
    dict[Annotated[str, text(100, 1)], Scalar],
    Field(max_length=MAX_ATTRIBUTES),
    AfterValidator(_own_names),
]
ChangedAttributes = Annotated[
    dict[Annotated[str, text(100, 1)], Scalar | None],
    Field(max_length=MAX_ATTRIBUTES),
    AfterValidator(_own_names),
]


def example(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """The example that OpenAPI shows of a command."""
    return lambda schema: schema.update(examples=[fields])


class Command(BaseModel):
    """What every command shares: strict, immutable, without unknown fields."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        str_strip_whitespace=True,
        use_attribute_docstrings=True,
    )

    def said(self) -> str:
        """What was given, as JSON: a field that is added one day changes nothing of it."""
        return self.model_dump_json(exclude_unset=True)
