"""What a report was asked for, checked: nothing unknown, nothing that cannot be answered."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, date, datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from aggregates.refusal import Refusal

ATTRIBUTE = "attribute:"
ALIASES = {"channel": "source"}
PARAMETERS = (
    "dimension", "cohort", "from", "to", "attribution", "denominator", "since",
    "as_of", "as_known", "at_position",
)  # fmt: skip
"""Every parameter of every report, as callers name it."""


class Attribution(StrEnum):
    """Under which owner a lead counts (A22)."""

    AT_CONVERSION = "at_conversion"
    CURRENT = "current"
    FIRST = "first"
    ALL = "all"


class Denominator(StrEnum):
    """Whether invalid leads count (A21)."""

    ALL = "all"
    VALID = "valid"


class Since(StrEnum):
    """Where a response time starts (A10)."""

    CAPTURE = "capture"
    ASSIGNMENT = "assignment"


@dataclass(frozen=True, kw_only=True)
class ReportParams:
    """The question. `dimension` has one or two names; `[date_from, date_to)` are local dates.

    `as_of`, `as_known` and `at_position` choose the facts, not what is made of them: whoever runs
    the query sees to them.
    """

    name: str
    zone: str
    dimension: tuple[str, ...] = ("all",)
    cohort: date | None = None
    date_from: date | None = None
    date_to: date | None = None
    attribution: Attribution = Attribution.AT_CONVERSION
    denominator: Denominator = Denominator.ALL
    since: Since = Since.CAPTURE
    as_of: datetime | None = None
    as_known: datetime | None = None
    at_position: int | None = None
    visible_only: bool = False
    """Only leads in the table `visible` count, which whoever runs the query makes."""

    @property
    def historical(self) -> bool:
        """Whether an earlier state of knowledge or of the world is asked for."""
        return (self.as_of, self.as_known, self.at_position) != (None, None, None)

    def midnight(self, day: date) -> datetime:
        """The instant at which a local date begins."""
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.zone))


class Asked(Protocol):
    """What reading needs to know of a report."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def parameters(self) -> Collection[str]:
        """The parameters it accepts."""
        ...

    @property
    def default_dimension(self) -> str:
        """The dimension where none is asked for."""
        ...

    @property
    def dimension_names(self) -> Collection[str]:
        """The dimensions it can be broken down by; `attribute:<key>` stands for any attribute."""
        ...


def read(report: Asked, given: Mapping[str, Any], zone: str) -> ReportParams:
    """The parameters of a report from what the caller gave; None counts as not given.

    Texts, except that `as_of` and `as_known` are datetimes with an offset and `at_position` is an
    int. Raises Refusal with the field at fault and what would be allowed.
    """
    given = {name: value for name, value in given.items() if value is not None}
    for name, value in given.items():
        if name not in report.parameters:
            allowed = ", ".join(report.parameters)
            raise _refused(name, f"the report {report.name} knows only {allowed}")
        _require_sane(name, value)
    if "as_known" in given and "at_position" in given:
        raise _refused("at_position", "give as_known or at_position, not both")
    params = ReportParams(
        name=report.name,
        zone=zone,
        dimension=_dimension(report, given.get("dimension", report.default_dimension)),
        cohort=_cohort(given.get("cohort")),
        date_from=_date("from", given.get("from")),
        date_to=_date("to", given.get("to")),
        attribution=_choice(Attribution, "attribution", given),
        denominator=_choice(Denominator, "denominator", given),
        since=_choice(Since, "since", given),
        as_of=given.get("as_of"),
        as_known=given.get("as_known"),
        at_position=given.get("at_position"),
    )
    if params.date_from and params.date_to and params.date_from > params.date_to:
        raise _refused("to", "the period ends before it begins: `to` is the day after its last")
    return params


def next_month(month: date) -> date:
    """The first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _require_sane(name: str, value: Any) -> None:
    """Refuse texts that no value in the database can equal, and years that no zone can shift."""
    if isinstance(value, str) and not is_storable(value):
        raise _refused(name, "is not text")
    if isinstance(value, datetime) and not MINYEAR < value.year < MAXYEAR:
        raise _refused(name, "lies too far from today")


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold the text."""
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _dimension(report: Asked, text: str) -> tuple[str, ...]:
    r"""One name, or two separated by a comma; a comma inside an attribute's key is written `\,`."""
    names = tuple(ALIASES.get(part, part) for part in re.split(r"(?<!\\),", text))
    if len(names) > 2:
        raise _refused("dimension", "combine at most two dimensions")
    for name in names:
        known = ATTRIBUTE + "<key>" if name.startswith(ATTRIBUTE) and name != ATTRIBUTE else name
        if known not in report.dimension_names:
            allowed = ", ".join(report.dimension_names)
            raise _refused("dimension", f"{report.name} has no dimension {name}: choose {allowed}")
    return names


def _cohort(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        month = date.fromisoformat(f"{text}-01")
        next_month(month)
    except ValueError:
        raise _refused("cohort", f"{text} is not a month such as 2024-05") from None
    return month


def _date(field: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _refused(field, f"{text} is not a date such as 2024-05-31") from None


Choice = TypeVar("Choice", bound=StrEnum)


def _choice(kind: type[Choice], field: str, given: Mapping[str, Any]) -> Choice:
    """The value of a closed list, its first member where none is given."""
    members = list(kind)
    text = given.get(field, members[0].value)
    if text not in members:
        raise _refused(field, f"{text} is not a known {field}: choose {', '.join(members)}")
    return kind(text)


def _refused(field: str, message: str) -> Refusal:
    return Refusal("invalid-parameter", f"{field}: {message}", field)
