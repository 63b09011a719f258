"""What becomes of a person: role, team, share of the work, absences, leaving and coming back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from aggregates.directory import events as e
from aggregates.directory.owners import OWNING_ROLES
from aggregates.directory.register import BY_RULE, require_role
from aggregates.directory.state import Absence, Coverage, Person
from aggregates.event import Event
from aggregates.refusal import Refusal

SUPERVISOR = "supervisor"
LONGEST_ABSENCE_DAYS = 1100


class _Unchanged:
    """Stands where a change says nothing, since None says something."""


UNCHANGED: Any = _Unchanged()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is to be different about a person; UNCHANGED stays as it is, None is taken away."""

    role: str = UNCHANGED
    team: str | None = UNCHANGED
    email: str | None = UNCHANGED
    coverage: Coverage = UNCHANGED
    weight: float = UNCHANGED
    capacity: int | None = UNCHANGED

    def of(self, person: Person, name: str) -> Any:
        """The value that a field will have."""
        value = getattr(self, name)
        return getattr(person, name) if value is UNCHANGED else value


@dataclass(frozen=True, slots=True)
class Duties:
    """What somebody still has: open leads, teams that they lead, the last login of an
    administrator.
    """

    open_leads: int = 0
    leads_teams: Sequence[str] = field(default=())
    last_admin: bool = False


def change_person(
    person: Person, *, now: datetime, changes: Changes, duties: Duties
) -> list[Event]:
    """Change what differs. Whoever leads a team stays its supervisor until another does (R115);
    nobody gets a role that owns no leads while they own some (R102).
    """
    name = require_known(person)
    role, team, email = (changes.of(person, field) for field in ("role", "team", "email"))
    coverage = changes.of(person, "coverage")
    weight, capacity = changes.of(person, "weight"), changes.of(person, "capacity")
    events: list[Event] = []
    if role != person.role:
        require_role(role)
        _require_another_admin(name, duties)
        if role not in OWNING_ROLES and duties.open_leads:
            raise Refusal(
                "leads-remain",
                f"{name} still owns {duties.open_leads} open leads, and {role} owns none: hand"
                " them over first",
                "role",
            )
        _require_no_team(name, duties.leads_teams)
        events.append(e.RoleChanged(occurred_at=now, name=name, role=role))
    if team != person.team:
        events.append(e.PersonTeamChanged(occurred_at=now, name=name, team=team))
    if email != person.email:
        events.append(e.EmailChanged(occurred_at=now, name=name, email=email))
    if coverage != person.coverage:
        events.append(_covers(name, now, coverage))
    if (weight, capacity) != (person.weight, person.capacity):
        require_workload(weight, capacity)
        events.append(e.WorkloadSet(occurred_at=now, name=name, weight=weight, capacity=capacity))
    return events


def note_absence(
    person: Person, *, now: datetime, since: date, until: date, reason: str | None = None
) -> list[Event]:
    """The person is away on these local dates, both included: no new leads meanwhile (A13)."""
    name = require_known(person)
    if until < since:
        raise Refusal("invalid-absence", "an absence ends on its first day or later", "until")
    if (until - since).days > LONGEST_ABSENCE_DAYS:
        raise Refusal("invalid-absence", "an absence is of three years at most", "until")
    if Absence(since, until) in person.absences:
        return []
    return [e.AbsenceNoted(occurred_at=now, name=name, since=since, until=until, reason=reason)]


def cancel_absence(person: Person, *, now: datetime, since: date, until: date) -> list[Event]:
    """The absence of exactly these dates does not take place; one that is not noted is none."""
    name = require_known(person)
    if Absence(since, until) not in person.absences:
        return []
    return [e.AbsenceCancelled(occurred_at=now, name=name, since=since, until=until)]


def deactivate(
    person: Person,
    *,
    now: datetime,
    duties: Duties,
    reason: str | None = None,
    handed_over_to: str | None = None,
) -> list[Event]:
    """The person leaves. Refused while leads, a team or the company would stay without anybody
    who answers for them (R102, R103).
    """
    name = require_known(person)
    if not person.active:
        return []
    _require_another_admin(name, duties)
    if duties.open_leads:
        raise Refusal(
            "leads-remain",
            f"{name} still owns {duties.open_leads} open leads: say in hand_over who gets them, by"
            f" name or {BY_RULE}",
            "hand_over",
        )
    _require_no_team(name, duties.leads_teams)
    return [
        e.PersonDeactivated(
            occurred_at=now, name=name, reason=reason, handed_over_to=handed_over_to
        )
    ]


def reactivate(person: Person, *, now: datetime, reason: str | None = None) -> list[Event]:
    """The person is back, with the role they had."""
    name = require_known(person)
    if person.active:
        return []
    return [e.PersonReactivated(occurred_at=now, name=name, reason=reason)]


def require_known(person: Person) -> str:
    """The person's name."""
    if person.name is None:
        raise Refusal("no-such-person", "there is nobody of this name")
    return person.name


def require_workload(weight: float, capacity: int | None) -> None:
    """A weight above 0, a capacity of at least 0, or a refusal."""
    if not 0 < weight <= 100:
        raise Refusal("invalid-workload", "a weight lies above 0 and is 100 at most", "weight")
    if capacity is not None and capacity < 0:
        raise Refusal("invalid-workload", "a capacity is 0 or more", "capacity")


def _covers(name: str, now: datetime, coverage: Coverage) -> e.CoverageSet:
    return e.CoverageSet(
        occurred_at=now,
        name=name,
        regions=coverage.regions,
        industries=coverage.industries,
        customer_types=coverage.customer_types,
    )


def _require_another_admin(name: str, duties: Duties) -> None:
    if duties.last_admin:
        raise Refusal(
            "last-administrator",
            f"{name} is the only active administrator: give somebody else that role first",
        )


def _require_no_team(name: str, leads_teams: Sequence[str]) -> None:
    if leads_teams:
        raise Refusal(
            "leads-a-team",
            f"{name} leads {', '.join(leads_teams)}: give it another supervisor first",
        )
