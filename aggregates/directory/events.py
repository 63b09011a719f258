"""What can happen to people, teams and references. Each event names whom it is about, so the whole
company can be folded from the log without asking whose stream an event stands in.
"""

from dataclasses import dataclass
from datetime import date, time
from typing import ClassVar

from aggregates.event import Event


@dataclass(frozen=True, kw_only=True)
class PersonEvent(Event):
    """Something about one person."""

    name: str


@dataclass(frozen=True, kw_only=True)
class PersonAdded(PersonEvent):
    """A person became known. Without a role they have no login (named only by an import)."""

    topic: ClassVar[str] = "directory.person-added"

    role: str | None = None
    team: str | None = None
    email: str | None = None


@dataclass(frozen=True, kw_only=True)
class RoleChanged(PersonEvent):
    """A person may do from now on what this role may do."""

    topic: ClassVar[str] = "directory.role-changed"

    role: str


@dataclass(frozen=True, kw_only=True)
class PersonTeamChanged(PersonEvent):
    """A person joined another team; None = left theirs."""

    topic: ClassVar[str] = "directory.person-team-changed"

    team: str | None = None


@dataclass(frozen=True, kw_only=True)
class EmailChanged(PersonEvent):
    """Where a person's messages go; None = nowhere."""

    topic: ClassVar[str] = "directory.email-changed"

    email: str | None = None


@dataclass(frozen=True, kw_only=True)
class CoverageSet(PersonEvent):
    """Which leads a person takes (R6, R34). Empty = any."""

    topic: ClassVar[str] = "directory.coverage-set"

    regions: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    customer_types: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WorkloadSet(PersonEvent):
    """How much a person takes (R43, A13); no capacity = no limit."""

    topic: ClassVar[str] = "directory.workload-set"

    weight: float
    capacity: int | None = None


@dataclass(frozen=True, kw_only=True)
class AbsenceNoted(PersonEvent):
    """A person is away on these local dates, both included."""

    topic: ClassVar[str] = "directory.absence-noted"

    since: date
    until: date
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class AbsenceCancelled(PersonEvent):
    """An absence that had been noted does not take place."""

    topic: ClassVar[str] = "directory.absence-cancelled"

    since: date
    until: date


@dataclass(frozen=True, kw_only=True)
class PersonDeactivated(PersonEvent):
    """A person left: no login, no new leads (R102). `handed_over_to` as the command said it."""

    topic: ClassVar[str] = "directory.person-deactivated"

    reason: str | None = None
    handed_over_to: str | None = None


@dataclass(frozen=True, kw_only=True)
class PersonReactivated(PersonEvent):
    """A person came back, with the role they had."""

    topic: ClassVar[str] = "directory.person-reactivated"

    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class NotificationPreferencesSet(PersonEvent):
    """How a person is told of what concerns them (R36). Quiet hours are local times of the company;
    they end on the next day where `quiet_to` is not later; both None = there are none.
    """

    topic: ClassVar[str] = "directory.notification-preferences-set"

    channels: tuple[str, ...]
    language: str
    quiet_from: time | None = None
    quiet_to: time | None = None


@dataclass(frozen=True, kw_only=True)
class TeamEvent(Event):
    """Something about one team."""

    name: str


@dataclass(frozen=True, kw_only=True)
class TeamAdded(TeamEvent):
    """A team became known."""

    topic: ClassVar[str] = "directory.team-added"


@dataclass(frozen=True, kw_only=True)
class SupervisorSet(TeamEvent):
    """Who leads a team (R5, R115); None = nobody."""

    topic: ClassVar[str] = "directory.supervisor-set"

    supervisor: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReferenceEvent(Event):
    """Something about one entry of a list: `kind` is one of references.KINDS."""

    kind: str
    name: str


@dataclass(frozen=True, kw_only=True)
class ReferenceAdded(ReferenceEvent):
    """An entry joined its list, or came back to it (R20, R21)."""

    topic: ClassVar[str] = "directory.reference-added"

    english: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReferenceRenamed(ReferenceEvent):
    """An entry's English name changed; its own name is its identity."""

    topic: ClassVar[str] = "directory.reference-renamed"

    english: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReferenceRetired(ReferenceEvent):
    """An entry is no longer offered; what uses it keeps it."""

    topic: ClassVar[str] = "directory.reference-retired"


EVENTS: tuple[type[Event], ...] = (
    PersonAdded,
    RoleChanged,
    PersonTeamChanged,
    EmailChanged,
    CoverageSet,
    WorkloadSet,
    AbsenceNoted,
    AbsenceCancelled,
    PersonDeactivated,
    PersonReactivated,
    NotificationPreferencesSet,
    TeamAdded,
    SupervisorSet,
    ReferenceAdded,
    ReferenceRenamed,
    ReferenceRetired,
)
