"""People, teams, lists and rules as JSON; OpenAPI shows these very types."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

import msgspec

from aggregates.directory import state
from commands.company import policies


class Coverage(TypedDict):
    """Which leads somebody takes: one of each list that is not empty."""

    regions: tuple[str, ...]
    industries: tuple[str, ...]
    customer_types: tuple[str, ...]


class Absence(TypedDict):
    """Local dates, both included."""

    since: date
    until: date


class Messages(TypedDict):
    """How somebody is told of what concerns them; quiet hours are local times of the company."""

    channels: tuple[str, ...]
    language: str
    quiet_from: str | None
    quiet_to: str | None


class Person(TypedDict):
    """A person; `version` is the ETag. Without a role they have no login."""

    name: str | None
    version: int
    active: bool
    role: str | None
    team: str | None
    email: str | None
    coverage: Coverage
    weight: float
    capacity: int | None
    absences: list[Absence]
    messages: Messages


class Team(TypedDict):
    """A team; `version` is the ETag."""

    name: str | None
    version: int
    supervisor: str | None


class Reference(TypedDict):
    """An entry of a list; `version` is the ETag, 0 for one that is built in and unchanged."""

    kind: str | None
    name: str | None
    version: int
    english: str | None
    active: bool


class PolicyVersion(TypedDict):
    """Rules and from when on they are in force: log position and time; 0 and null = built in."""

    kind: str
    version: int
    hash: str
    position: int
    activated_at: datetime | None
    reason: str | None
    document: Mapping[str, Any]


SCHEMAS: Mapping[str, Any] = msgspec.json.schema_components(
    (Person, Team, Reference, PolicyVersion),
    ref_template="#/components/schemas/{name}",
)[1]


def person_json(person: state.Person) -> Person:
    """A person as those see them who may read the directory."""
    coverage = person.coverage
    return {
        "name": person.name,
        "version": person.version,
        "active": person.active,
        "role": person.role,
        "team": person.team,
        "email": person.email,
        "coverage": {
            "regions": coverage.regions,
            "industries": coverage.industries,
            "customer_types": coverage.customer_types,
        },
        "weight": person.weight,
        "capacity": person.capacity,
        "absences": [{"since": a.since, "until": a.until} for a in person.absences],
        "messages": messages_json(person.messages),
    }


def messages_json(wanted: state.Preferences) -> Messages:
    """Somebody's preferences."""
    begin, end = wanted.quiet_from, wanted.quiet_to
    return {
        "channels": wanted.channels,
        "language": wanted.language,
        "quiet_from": begin.isoformat("minutes") if begin else None,
        "quiet_to": end.isoformat("minutes") if end else None,
    }


def team_json(team: state.Team) -> Team:
    """A team."""
    return {"name": team.name, "version": team.version, "supervisor": team.supervisor}


def reference_json(entry: state.Reference) -> Reference:
    """An entry of a list."""
    return {
        "kind": entry.kind,
        "name": entry.name,
        "version": entry.version,
        "english": entry.english,
        "active": entry.active,
    }


def policy_json(version: policies.PolicyVersion, zone: ZoneInfo) -> PolicyVersion:
    """A version of rules, its time in the company's zone."""
    at = version.activated_at
    return {
        "kind": version.kind,
        "version": version.version,
        "hash": version.hash,
        "position": version.position,
        "activated_at": at and at.astimezone(zone),
        "reason": version.reason,
        "document": version.document,
    }
