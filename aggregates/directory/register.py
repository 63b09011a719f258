"""Making people known, and the roles there are."""

from datetime import datetime

from aggregates.directory.events import PersonAdded
from aggregates.directory.state import Person
from aggregates.event import Event
from aggregates.refusal import Refusal

ROLES = ("sales", "supervisor", "marketing", "admin", "analyst", "auditor")
BY_RULE = "by-rule"
"""Stands in a command for whomever the rules choose."""


def add_person(
    entry: Person, *, now: datetime, name: str, role: str, team: str | None, email: str | None
) -> list[Event]:
    """Add a person with a role. One that an import only named may be given a role once."""
    require_role(role)
    if name == BY_RULE:
        raise Refusal(
            "name-taken", f"{BY_RULE} means whomever the rules choose: take another", "name"
        )
    if (entry.name, entry.role, entry.team, entry.email) == (name, role, team, email):
        return []
    if entry.role:
        raise Refusal("name-taken", f"{name} is already in the directory as {entry.role}", "name")
    return [PersonAdded(occurred_at=now, name=name, role=role, team=team, email=email)]


def require_role(role: str | None) -> None:
    """A role that there is, or a refusal."""
    if role not in ROLES:
        raise Refusal("unknown-role", f"the role is one of {', '.join(ROLES)}", "role")
