"""Making people and teams known."""

from datetime import datetime

from aggregates.directory.events import PersonAdded
from aggregates.directory.state import Entry
from aggregates.event import Event
from aggregates.refusal import Refusal

ROLES = ("sales", "supervisor", "marketing", "admin", "analyst", "auditor")


def add_person(
    entry: Entry, *, now: datetime, name: str, role: str, team: str | None, email: str | None
) -> list[Event]:
    """Add a person with a role. One that an import only named may be given a role once."""
    if role not in ROLES:
        raise Refusal("unknown-role", f"the role is one of {', '.join(ROLES)}", "role")
    wanted = Entry(entry.version, name, role, team, email)
    if entry == wanted:
        return []
    if entry.role:
        raise Refusal("name-taken", f"{name} is already in the directory as {entry.role}", "name")
    return [PersonAdded(occurred_at=now, name=name, role=role, team=team, email=email)]
