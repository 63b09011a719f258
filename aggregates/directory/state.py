"""Entries of the directory as the fold of their events."""

from dataclasses import dataclass, replace
from datetime import date, time
from uuid import UUID, uuid5

from aggregates.directory import events as e
from aggregates.event import Event
from aggregates.notification.channels import EMAIL, IN_APP

DIRECTORY = UUID("9a4f7a37-5a0b-4a86-9c1d-6f5e0c0b7d11")


def person_id(name: str) -> UUID:
    """The stream of a person; a name is unique in a company."""
    return uuid5(DIRECTORY, f"person:{name}")


def team_id(name: str) -> UUID:
    """The stream of a team."""
    return uuid5(DIRECTORY, f"team:{name}")


def reference_id(kind: str, name: str) -> UUID:
    """The stream of a reference: a source, an industry, a region, a segment."""
    return uuid5(DIRECTORY, f"{kind}:{name}")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Which leads somebody takes: one of each, where any are named (R6, R34)."""

    regions: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    customer_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Absence:
    """Local dates, both included."""

    since: date
    until: date


@dataclass(frozen=True, slots=True)
class Preferences:
    """How somebody is told of what concerns them. Quiet hours are local times, and end on the next
    day where `quiet_to` is not later; both None = there are none.
    """

    channels: tuple[str, ...] = (IN_APP, EMAIL)
    language: str = "zh"
    quiet_from: time | None = None
    quiet_to: time | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A person; `name` None = unknown so far. Without a role they have no login.

    `weight` is their share of new leads beside others' (1 = normal), `capacity` the most open,
    unpaused leads they are given (None = no limit).
    """

    version: int = 0
    name: str | None = None
    role: str | None = None
    team: str | None = None
    email: str | None = None
    active: bool = True
    coverage: Coverage = Coverage()
    weight: float = 1.0
    capacity: int | None = None
    absences: tuple[Absence, ...] = ()
    messages: Preferences = Preferences()


@dataclass(frozen=True, slots=True)
class Team:
    """A team; its supervisor is a person of the directory (R5, R115)."""

    version: int = 0
    name: str | None = None
    supervisor: str | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """An entry of a list that leads choose from: source, industry, region, segment (R20, R21)."""

    version: int = 0
    kind: str | None = None
    name: str | None = None
    english: str | None = None
    active: bool = True


def evolve(person: Person, event: Event) -> Person:
    """The person after one more event; unknown events only count."""
    person = replace(person, version=person.version + 1)
    match event:
        case e.PersonAdded():
            person = replace(
                person,
                name=event.name,
                role=event.role or person.role,
                team=event.team or person.team,
                email=event.email or person.email,
            )
        case e.RoleChanged():
            person = replace(person, role=event.role)
        case e.PersonTeamChanged():
            person = replace(person, team=event.team)
        case e.EmailChanged():
            person = replace(person, email=event.email)
        case e.CoverageSet():
            coverage = Coverage(event.regions, event.industries, event.customer_types)
            person = replace(person, coverage=coverage)
        case e.WorkloadSet():
            person = replace(person, weight=event.weight, capacity=event.capacity)
        case e.AbsenceNoted() | e.AbsenceCancelled():
            person = replace(person, absences=_absences(person.absences, event))
        case e.PersonDeactivated():
            person = replace(person, active=False)
        case e.PersonReactivated():
            person = replace(person, active=True)
        case e.NotificationPreferencesSet():
            wanted = Preferences(event.channels, event.language, event.quiet_from, event.quiet_to)
            person = replace(person, messages=wanted)
        case _:
            pass
    return person


def evolve_team(team: Team, event: Event) -> Team:
    """The team after one more event; unknown events only count."""
    team = replace(team, version=team.version + 1)
    match event:
        case e.TeamAdded():
            return replace(team, name=event.name)
        case e.SupervisorSet():
            return replace(team, supervisor=event.supervisor)
        case _:
            return team


def evolve_reference(entry: Reference, event: Event) -> Reference:
    """The entry of a list after one more event; unknown events only count."""
    entry = replace(entry, version=entry.version + 1)
    match event:
        case e.ReferenceAdded():
            return replace(
                entry,
                kind=event.kind,
                name=event.name,
                english=event.english or entry.english,
                active=True,
            )
        case e.ReferenceRenamed():
            return replace(entry, english=event.english)
        case e.ReferenceRetired():
            return replace(entry, active=False)
        case _:
            return entry


def _absences(
    absences: tuple[Absence, ...], event: e.AbsenceNoted | e.AbsenceCancelled
) -> tuple[Absence, ...]:
    """Those that stand, in order."""
    changed = Absence(event.since, event.until)
    others = [absence for absence in absences if absence != changed]
    noted = [changed] if isinstance(event, e.AbsenceNoted) else []
    return tuple(sorted([*others, *noted], key=lambda absence: (absence.since, absence.until)))
