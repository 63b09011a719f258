"""Making teams known, and who leads them (R5, R115)."""

from datetime import datetime

from aggregates.directory.events import SupervisorSet, TeamAdded
from aggregates.directory.person import SUPERVISOR
from aggregates.directory.state import Person, Team
from aggregates.event import Event
from aggregates.refusal import Refusal


def add_team(team: Team, *, now: datetime, name: str, supervisor: Person | None) -> list[Event]:
    """Add a team, with a supervisor if one is named; the same again changes nothing."""
    if supervisor:
        _require_supervisor(supervisor)
    leader = supervisor.name if supervisor else None
    added = [] if team.name else [TeamAdded(occurred_at=now, name=name)]
    if team.name and leader and team.supervisor not in (None, leader):
        raise Refusal("name-taken", f"{name} is led by {team.supervisor}: change that", "name")
    if leader in (None, team.supervisor):
        return [*added]
    return [*added, SupervisorSet(occurred_at=now, name=name, supervisor=leader)]


def set_supervisor(team: Team, *, now: datetime, supervisor: Person | None) -> list[Event]:
    """Put an active supervisor in charge of a team; None = nobody."""
    if team.name is None:
        raise Refusal("no-such-team", "there is no such team")
    if supervisor:
        _require_supervisor(supervisor)
    leader = supervisor.name if supervisor else None
    if leader == team.supervisor:
        return []
    return [SupervisorSet(occurred_at=now, name=team.name, supervisor=leader)]


def _require_supervisor(person: Person) -> None:
    if person.role != SUPERVISOR or not person.active:
        raise Refusal(
            "not-a-supervisor",
            f"a team is led by an active person whose role is {SUPERVISOR}",
            "supervisor",
        )
