"""Entries of the directory as the fold of their events."""

from dataclasses import dataclass, replace
from uuid import UUID, uuid5

from aggregates.directory.events import PersonAdded, TeamAdded
from aggregates.event import Event

DIRECTORY = UUID("9a4f7a37-5a0b-4a86-9c1d-6f5e0c0b7d11")


def person_id(name: str) -> UUID:
    """The stream of a person; a name is unique in a company."""
    return uuid5(DIRECTORY, f"person:{name}")


def team_id(name: str) -> UUID:
    """The stream of a team."""
    return uuid5(DIRECTORY, f"team:{name}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A person or a team; `name` None = unknown so far."""

    version: int = 0
    name: str | None = None
    role: str | None = None
    team: str | None = None
    email: str | None = None


def evolve(entry: Entry, event: Event) -> Entry:
    """The entry after one more event; unknown events only count."""
    version = entry.version + 1
    match event:
        case PersonAdded():
            return Entry(version, event.name, event.role, event.team, event.email)
        case TeamAdded():
            return replace(entry, version=version, name=event.name)
        case _:
            return replace(entry, version=version)
