"""Reading the TOML of a mapping: what is not understood is a ValueError that names the place."""

from collections.abc import Iterable, Mapping
from typing import Any


def section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A section, empty where there is none."""
    found = document.get(name, {})
    if not isinstance(found, dict):
        raise ValueError(f"{name} is a section: write [{name}]")  # noqa: TRY004 - of the file
    return found


def words(name: str, found: Mapping[str, Any]) -> Mapping[str, str]:
    """A section that leads from words to words."""
    for theirs, ours in found.items():
        if not isinstance(ours, str) or not ours:
            raise ValueError(f"[{name}] {theirs} leads to one word in quotes")
    return found


def refuse_unknown(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a name that is none of those known."""
    names = tuple(known)
    for name in given:
        if name not in names:
            raise ValueError(f"unknown {what} {name!r}: known are {', '.join(names)}")
