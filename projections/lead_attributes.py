"""The attributes of a lead: what somebody gave under a name that is no column.

What a history file gave are dimensions: they keep their values, and what is shown of them lies
beside them (`masked_attributes`). What people typed as text is personal, and only that there is one
is kept: `HIDDEN`. Once the lead is erased, the last clear value of an attribute counts again.
"""

from typing import Any, Protocol

from aggregates.personal import counts
from aggregates.privacy import mask_attribute, mask_text

HIDDEN = "(hidden)"


class Described(Protocol):
    """A row of a lead. `masked_attributes`: what is shown of those that differ when masked;
    `covered`: clear attributes whose place a hidden one has taken, with what is shown of them.
    """

    attributes: dict[str, Any]
    masked_attributes: dict[str, Any]
    covered: dict[str, Any]


def describe(row: Described, name: str, value: Any, *, history: bool) -> None:
    """Take over an attribute that a history file gave, or that somebody typed."""
    record = _describe_history if history else _describe_daily
    record(row, name, value, mask_attribute(value))


def erase(row: Described) -> None:
    """As if nobody had ever typed one."""
    row.attributes = {name: v for name, v in row.attributes.items() if v != HIDDEN}
    for name, (value, *shown) in row.covered.items():
        row.attributes[name] = value
        row.masked_attributes.update((name, twin) for twin in shown)
    row.covered = {}


def _describe_history(row: Described, name: str, value: Any, shown: Any) -> None:
    for known in (name, mask_text(name)):
        _take(row, known)
        row.covered.pop(known, None)
    row.attributes[name] = value
    if shown != value:
        row.masked_attributes[name] = shown


def _describe_daily(row: Described, name: str, value: Any, shown: Any) -> None:
    """Numbers and truth values count, any other is hidden."""
    if counts(name, value):
        _take(row, name)
        row.covered.pop(name, None)
        row.attributes[name] = shown
        return
    for known in (name, mask_text(name)):
        if taken := _take(row, known):
            row.covered[known] = taken
    row.attributes[mask_text(name)] = HIDDEN


def _take(row: Described, name: str) -> list[Any]:
    """Take an attribute away: its value and what is shown instead, if it was there in clear."""
    places = (row.attributes, row.masked_attributes)
    found = [values.pop(name) for values in places if name in values]
    return [] if found == [HIDDEN] else found
