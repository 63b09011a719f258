"""What a user may say about a history file: which words mean what (a TOML file, all optional).

[activity]
connected = ["answered"]     # statuses that mean the customer was reached
[types]
"Won" = "LeadConverted"      # the file's word for a type = ours
[keys]
"lead_source" = "channel"    # the file's word for a key of `data` = ours
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

CONNECTED = frozenset({"connected", "successful"})


@dataclass(frozen=True)
class HistoryMapping:
    """The words of a file. Without any, the format's own words are meant."""

    connected: frozenset[str] = CONNECTED
    types: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, document: Mapping[str, Any], known_types: frozenset[str]) -> Self:
        """The mapping of a TOML document; ValueError says what in it is not understood."""
        _refuse_unknown("section", document, ("activity", "types", "keys"))
        activity = _section(document, "activity")
        _refuse_unknown("key of [activity]", activity, ("connected",))
        types, keys = (_words(name, _section(document, name)) for name in ("types", "keys"))
        if wrong := sorted(set(types.values()) - known_types):
            raise ValueError(f"[types] leads to {wrong[0]!r}, which is no type of a history file")
        words = activity.get("connected", [])
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError('[activity] connected is a list of words such as ["answered"]')
        return cls(CONNECTED.union(words), types, keys)


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, dict):
        raise ValueError(f"{name} is a section: write [{name}]")  # noqa: TRY004 - of the file
    return section


def _words(name: str, section: Mapping[str, Any]) -> Mapping[str, str]:
    for theirs, ours in section.items():
        if not isinstance(ours, str) or not ours:
            raise ValueError(f"[{name}] {theirs} leads to one word in quotes")
    return section


def _refuse_unknown(what: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"unknown {what} {name!r}: known are {', '.join(known)}")
