"""A lead as JSON shows nobody's number, whatever field of it holds one (A4, R75)."""

import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args, get_type_hints
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from aggregates.event import PolicyRef
from aggregates.lead.effort import Effort
from aggregates.lead.events import PROFILE, AttachmentAdded
from aggregates.lead.state import Conversion, Lateness, Lead, Pause, Suspicion, replace
from aggregates.lead.timers import Timer
from aggregates.privacy import CLEAR
from api.lead_json import lead_json

NUMBER = "13912345678"
MASKED = "139****5678"
OTHER = UUID(int=2)
AT = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Shanghai")

OF_A_TYPE: dict[Any, Any] = {
    str: NUMBER,
    int: 3,
    bool: True,
    float: 0.5,
    UUID: OTHER,
    datetime: AT,
    Decimal: Decimal("85000.5"),
    tuple[str, ...]: (NUMBER,),
    frozenset[str]: frozenset({NUMBER}),
    tuple[tuple[str, datetime | None], ...]: ((NUMBER, AT),),
    Conversion: Conversion(AT, NUMBER, NUMBER),
    Pause: Pause(AT, NUMBER, AT),
    Lateness: Lateness(NUMBER, NUMBER),
    PolicyRef: PolicyRef(NUMBER, 1, NUMBER),
    Effort: Effort(last_at=AT),
}
BY_NAME: dict[str, Any] = {
    "id": OTHER,
    "profile": dict.fromkeys(PROFILE, NUMBER),
    "attributes": {NUMBER: [NUMBER, {NUMBER: int(NUMBER)}]},
    "explanation": {"why": NUMBER, "considered": [{"note": NUMBER}]},
    "suspects": {OTHER: Suspicion(certain=True, by=("phone",))},
    "dismissed": {OTHER: 1},
    "timers": {NUMBER: Timer(NUMBER, AT, AT, owner=NUMBER, stage=NUMBER)},
    "attachments": {
        OTHER: AttachmentAdded(
            attachment=OTHER, name=NUMBER, content_type=NUMBER, size=1, sha256=NUMBER
        )
    },
}


def _filled() -> Lead:
    """A lead with the number in every field that can hold one."""
    hints = get_type_hints(Lead)
    values = {f.name: BY_NAME.get(f.name) or _of_type(hints[f.name]) for f in fields(Lead)}
    return replace(Lead(OTHER), **values)


def _of_type(hint: Any) -> Any:
    """A field of a type that is not known here fails: say what may stand in it."""
    return next(OF_A_TYPE[kind] for kind in (hint, *get_args(hint)) if kind in OF_A_TYPE)


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text with the name that it stands under; a name is a text, too."""
    if isinstance(value, dict):
        for inner, item in value.items():
            yield name, inner
            yield from _texts(item, inner)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, name)
    else:
        yield name, str(value)


def test_a_number_is_only_read_under_names_that_are_clear() -> None:
    shown = json.loads(lead_json(_filled(), ZONE, {OTHER: "XS1"}, [OTHER]))
    found = {name for name, text in _texts(shown) if NUMBER in text}
    assert found <= CLEAR
    assert {"owner", "source", "stage"} <= found, "they were there to be found"


@pytest.mark.parametrize(
    "name", ["phone", "need", "customer", "pause", "attributes", "assignment", "timers",
             "missing", "label", "conversion", "invalid_reason"],
)  # fmt: skip
def test_what_is_masked_is_there(name: str) -> None:
    shown = json.loads(lead_json(_filled(), ZONE, {}))
    assert any(MASKED in text for _, text in _texts(shown[name])), shown[name]


def test_times_are_the_companys_and_amounts_have_two_decimals() -> None:
    shown = json.loads(lead_json(_filled(), ZONE, {}))
    assert shown["captured_at"] == shown["timers"][0]["due_at"] == "2024-05-01T09:15:00+08:00"
    assert shown["pause"]["resume_at"] == shown["conversion"]["at"] == shown["captured_at"]
    assert shown["amount"] == "85000.50"
