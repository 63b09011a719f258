"""Contact details of nobody, in every text of every event: what no reader may find in clear (A4).

The fields are taken from the events' classes, so a field of a later day has its canaries too.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import count
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints
from uuid import UUID

from aggregates.event import Event
from aggregates.lead import events as e

AT = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
# Names that nobody types a customer's contact details under: said again here, so that a name that
# is declared clear without cause fails the tests.
CLEAR = {
    "code", "follow_up", "external_id", "source_system", "stage", "previous", "policy", "sha256",
    "hash", "owner", "previous_owner", "team", "previous_team", "person", "by", "shared_with",
    "first_erased_by",
    "pool", "into_code", "lead", "responsible", "supervisors", "recipient", "message_id",
    "kind", "task", "since",
    "source", "industry", "region", "customer_type", "campaign", "level", "segment", "method",
}  # fmt: skip
SAMPLES: Mapping[Any, Any] = {
    bool: True, int: 3, float: 1.5, Decimal: Decimal("85000.00"),
    datetime: AT, date: date(2024, 5, 10), time: time(22), Mapping[str, int]: {"late": 3},
}  # fmt: skip
CANARY = re.compile(r"139\d{8}|canary\d{8}")


@dataclass
class Canaries:
    """Makes events with canaries in them, and remembers where each stands."""

    numbers: Iterator[int]
    places: dict[str, str]

    def event(self, cls: type[Event], **given: Any) -> Event:
        """An event with every field filled, but for those given."""
        made = self._fields(cls, cls.__name__, given)
        return cls(**made | given)

    def leaks(self, text: str) -> list[str]:
        """The places whose canaries can be read in a text. Ids have such numbers, too."""
        return sorted({self.places[c] for c in CANARY.findall(text) if c in self.places})

    def _fields(self, cls: type[Any], place: str, given: Mapping[str, Any]) -> dict[str, Any]:
        hints = get_type_hints(cls)
        names = [f.name for f in fields(cls) if f.name not in given]
        return {name: self._value(hints[name], name, f"{place}.{name}") for name in names}

    def _value(self, hint: Any, name: str, place: str) -> Any:
        if hint in SAMPLES:
            return SAMPLES[hint]
        kinds = [kind for kind in get_args(hint) or (hint,) if kind is not NoneType]
        if get_origin(hint) is tuple and kinds[0] == e.Details:
            return (self._explanation(place),)
        if get_origin(hint) is tuple and is_dataclass(kinds[0]):
            return (kinds[0](**self._fields(kinds[0], place, {})),)
        if get_origin(hint) is tuple:
            return (self._text(name, place), self._text(name, place))
        if hint == e.Details:
            return self._details(place) if name == "details" else self._explanation(place)
        (kind,) = kinds
        if get_origin(kind) is tuple:
            return self._value(kind, name, place)
        if is_dataclass(kind):
            return kind(**self._fields(kind, place, {"kind": "labelling"}), kind="labelling")
        if kind is UUID:
            return UUID(int=next(self.numbers) % 10**6)
        return self._text(name, place) if kind is str else SAMPLES[kind]

    def _details(self, place: str) -> dict[str, Any]:
        own = {name: self._text(name, f"{place}.{name}") for name in e.PROFILE}
        inside = f"{place}.(attribute)"
        return own | {
            "stage": self._canary(inside),  # an attribute may be called like a field
            "number": int(self._phone(inside)),
            "tags": [self._canary(inside), {"inner": self._canary(inside)}],
        }

    def _explanation(self, place: str) -> dict[str, Any]:
        return {
            "rule": self._canary(place),
            "candidates": [{"person": "Li", "why": self._canary(place), "load": 3}],
        }

    def _text(self, name: str, place: str) -> str:
        """What somebody typed under this name; a plain value where nobody does."""
        if name in CLEAR:
            return "Li"
        if name == "phone":
            return self._phone(place)
        return self._email(place) if name == "email" else self._canary(place)

    def _canary(self, place: str) -> str:
        return f"请联系{self._phone(place)}或{self._email(place)}"

    def _phone(self, place: str) -> str:
        return self._remember(f"139{next(self.numbers):08d}", place)

    def _email(self, place: str) -> str:
        canary = self._remember(f"canary{next(self.numbers):08d}", place)
        return f"{canary}@example.cn"

    def _remember(self, canary: str, place: str) -> str:
        self.places[canary] = place
        return canary


def canaries() -> Canaries:
    """None made yet."""
    return Canaries(count(1), {})
