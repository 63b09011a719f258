"""What can happen to people and teams."""

from dataclasses import dataclass
from typing import ClassVar

from aggregates.event import Event


@dataclass(frozen=True, kw_only=True)
class PersonAdded(Event):
    """A person became known. Without a role they have no login (named only by an import)."""

    topic: ClassVar[str] = "directory.person-added"

    name: str
    role: str | None = None
    team: str | None = None
    email: str | None = None


@dataclass(frozen=True, kw_only=True)
class TeamAdded(Event):
    """A team became known."""

    topic: ClassVar[str] = "directory.team-added"

    name: str


EVENTS: tuple[type[Event], ...] = (PersonAdded, TeamAdded)
