"""The commands on a lead as they come in: checked for shape here, judged by the aggregate later.

Unknown fields are refused. Text is stripped; optional text that is blank counts as not given.
Times carry an offset and become UTC; dates are local dates of the company. Money is a decimal
string in the company currency with at most two decimals, never a float.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

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
from aggregates.policy.builtin import CONTRACT_SIGNED
from aggregates.values import money

MAX_ATTRIBUTES = 50
MAX_ATTRIBUTE_LENGTH = 1000
EXACT = 2**53  # up to here every JSON reader keeps a number exactly
NO_NUL = r"^[^\x00]*$"  # PostgreSQL stores no NUL
PHONE = r"^$|^\+?(?:[0-9(][ ().\-/]{0,2}){5,20}(?: ?(?:ext\.?|x|#|转) ?[0-9]{1,6})?$"
EMAIL = r"^$|^[^@\s\x00]+@[^@\s\x00]+\.[^@\s\x00.]+$"
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


def _text(longest: int, shortest: int = 0, pattern: str = NO_NUL) -> StringConstraints:
    return StringConstraints(min_length=shortest, max_length=longest, pattern=pattern)


Name = Annotated[str, _text(100, 1)]
Label = Annotated[str, _text(100)]
Reason = Annotated[str, _text(500, 1)]
Note = Annotated[str, _text(500)]
Text = Annotated[str, _text(8000)]
At = Annotated[datetime, BeforeValidator(instant)]
Day = Annotated[date, AfterValidator(_year)]
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
    dict[Annotated[str, _text(100, 1)], Scalar],
    Field(max_length=MAX_ATTRIBUTES),
    AfterValidator(_own_names),
]


def _example(**fields: Any) -> Callable[[dict[str, Any]], None]:
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


class CaptureLead(Command):
    """Enter a new lead (R15-R22)."""

    model_config = ConfigDict(
        json_schema_extra=_example(
            customer="A科技有限公司",
            contact="李经理",
            phone="13912345678",
            source="官网注册",
            industry="信息技术",
            need="需采购办公自动化系统",
        )
    )

    customer: Annotated[str, _text(200, 1)]
    """Full name of the company or customer (R73)."""
    contact: Label | None = None
    contact_title: Label | None = None
    phone: Annotated[str, _text(50, pattern=PHONE)] | None = None
    """Shown masked ever after (R75)."""
    email: Annotated[str, _text(254, pattern=EMAIL)] | None = None
    """Shown masked ever after (A4)."""
    source: Label | None = None
    industry: Label | None = None
    region: Label | None = None
    customer_type: Label | None = None
    campaign: Label | None = None
    need: Text | None = None
    owner: Label | None = None
    """Who is responsible; the lead is assigned at once."""
    team: Label | None = None
    attributes: Attributes = Field(default_factory=dict)
    """Up to 50 further facts about the lead, each a text, number or boolean."""


class AssignLead(Command):
    """Give a lead to one person (R7, R31)."""

    model_config = ConfigDict(json_schema_extra=_example(owner="王芳", team="华东一组"))

    owner: Name
    team: Label | None = None
    reason: Note | None = None


class AdvanceLead(Command):
    """Enter a stage of the pipeline, forward or back (R52)."""

    model_config = ConfigDict(json_schema_extra=_example(stage="方案提交"))

    stage: Name
    reason: Note | None = None


class RecordFollowUp(Command):
    """Record a contact with the customer (R46-R51)."""

    model_config = ConfigDict(
        json_schema_extra=_example(
            occurred_at="2024-05-02T14:30:00+08:00",
            method="电话沟通",
            content="客户对产品A功能感兴趣,要求提供案例",
            feedback="需要下周前提供报价单",
            next_step="发送方案",
            next_step_due="2024-05-10",
        )
    )

    occurred_at: At | None = None
    """When the contact took place; now, if not given (R84)."""
    method: Label | None = None
    """电话沟通, 面谈, 邮件, ... (R86)"""
    content: Text | None = None
    feedback: Text | None = None
    next_step: Text | None = None
    next_step_due: Day | None = None
    """A local date, due at its end (A14)."""
    outcome: Literal["connected", "no_answer", "busy", "wrong_number", "left_message"] = "connected"
    """Only `connected` answers the customer (A12)."""
    by: Label | None = None
    """Who did it, if not the caller (R85)."""
    stage: Label | None = None
    """The stage that the record sets (R90)."""


class InvalidateLead(Command):
    """Give a lead up (R100, R101)."""

    model_config = ConfigDict(json_schema_extra=_example(reason="联系方式错误"))

    reason: Reason
    note: Text | None = None


class ReopenLead(Command):
    """Take an invalid lead up again (A25)."""

    model_config = ConfigDict(json_schema_extra=_example(reason="客户重新来电"))

    reason: Note | None = None


class ConvertLead(Command):
    """Win a lead: the contract is signed (R59-R62)."""

    model_config = ConfigDict(
        json_schema_extra=_example(converted_at="2024-05-20T11:00:00+08:00", amount="85000.00")
    )

    converted_at: At | None = None
    """When it was signed; now, if not given (R93)."""
    amount: Money | None = None
    """Deal amount in the company currency (R97)."""
    basis: Name = CONTRACT_SIGNED
    """What the conversion rests on (A19)."""


class ReverseConversion(Command):
    """Take a conversion back that does not stand."""

    model_config = ConfigDict(json_schema_extra=_example(reason="合同撤销"))

    reason: Reason
