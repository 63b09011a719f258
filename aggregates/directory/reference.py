"""Entries of the lists that leads choose from: joining, renaming, retiring (R20, R21)."""

from datetime import datetime

from aggregates.directory import events as e
from aggregates.directory.references import KINDS
from aggregates.directory.state import Reference
from aggregates.event import Event
from aggregates.refusal import Refusal


def add_reference(
    entry: Reference, *, now: datetime, kind: str, name: str, english: str | None
) -> list[Event]:
    """Add an entry, or bring a retired one back; the same again changes nothing."""
    if kind not in KINDS:
        raise Refusal("no-such-list", f"the list is one of {', '.join(KINDS)}", "kind")
    if entry.name and entry.active:
        if english in (None, entry.english):
            return []
        raise Refusal("name-taken", f"{name} is in the list as {entry.english}: rename it", "name")
    return [e.ReferenceAdded(occurred_at=now, kind=kind, name=name, english=english)]


def rename_reference(entry: Reference, *, now: datetime, english: str | None) -> list[Event]:
    """Change an entry's English name; None = it has none."""
    kind, name = _known(entry)
    if entry.english == english:
        return []
    return [e.ReferenceRenamed(occurred_at=now, kind=kind, name=name, english=english)]


def retire_reference(entry: Reference, *, now: datetime) -> list[Event]:
    """Offer an entry no longer; the leads that have it keep it."""
    kind, name = _known(entry)
    if not entry.active:
        return []
    return [e.ReferenceRetired(occurred_at=now, kind=kind, name=name)]


def _known(entry: Reference) -> tuple[str, str]:
    if entry.kind is None or entry.name is None:
        raise Refusal("no-such-entry", "there is no such entry in this list")
    return entry.kind, entry.name
