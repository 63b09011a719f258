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

from commands.mapping_document import refuse_unknown, section, words

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
        refuse_unknown("section", document, ("activity", "types", "keys"))
        activity = section(document, "activity")
        refuse_unknown("key of [activity]", activity, ("connected",))
        types, keys = (words(name, section(document, name)) for name in ("types", "keys"))
        if wrong := sorted(set(types.values()) - known_types):
            raise ValueError(f"[types] leads to {wrong[0]!r}, which is no type of a history file")
        connected = activity.get("connected", [])
        if not isinstance(connected, list) or not all(isinstance(word, str) for word in connected):
            raise ValueError('[activity] connected is a list of words such as ["answered"]')
        return cls(CONNECTED.union(connected), types, keys)
