"""Commands on people (R5, R43, R102, R103)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated

from pydantic import ConfigDict, Field

from aggregates.directory import person as decide
from aggregates.directory.person import UNCHANGED, Changes, Duties
from aggregates.directory.preferences import set_preferences
from aggregates.directory.register import add_person
from aggregates.directory.state import Coverage, Person, Preferences, evolve, person_id
from aggregates.event import Event
from commands.company.wiring import Facts, Kind, Wiring
from commands.fields import Command, Day, Email, Label, LocalTime, Name, Note, example

Decide = Callable[[Person], Sequence[Event]]
Values = Annotated[tuple[Name, ...], Field(max_length=200)]


class AddPerson(Command):
    """Add a person with a role (R5)."""

    model_config = ConfigDict(
        json_schema_extra=example(name="王芳", role="sales", team="华东一组", email="w@a.cn")
    )

    name: Name
    """Unique in the company, and what leads call their owner."""
    role: Name
    """sales, supervisor, marketing, admin, analyst or auditor"""
    team: Label | None = None
    """Their team; it is added when there is none of this name."""
    email: Email | None = None
    """Where messages go."""


class PersonCoverage(Command):
    """Which leads a person takes: one of each list that is not empty (R6, R34)."""

    regions: Values = ()
    industries: Values = ()
    customer_types: Values = ()


class ChangePerson(Command):
    """Change a person: a field that is not given stays, null takes it away (R43)."""

    model_config = ConfigDict(
        json_schema_extra=example(team="华南一组", coverage={"regions": ["华南"]}, capacity=40)
    )

    role: Name | None = None
    team: Label | None = None
    email: Email | None = None
    coverage: PersonCoverage | None = None
    weight: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Their share of new leads beside others'; 1 is normal."""
    capacity: Annotated[int, Field(le=1_000_000)] | None = None
    """The most open, unpaused leads that they are given."""


class SetNotifications(Command):
    """How a person is told of what concerns them; a field that is not given stays (R36)."""

    model_config = ConfigDict(
        json_schema_extra=example(
            channels=["in-app", "email"], language="en", quiet_from="22:00", quiet_to="07:30"
        )
    )

    channels: Annotated[tuple[Name, ...], Field(max_length=10)] | None = None
    """in-app (always there), email, chat; null = in-app and email"""
    language: Name | None = None
    """zh or en; null = zh"""
    quiet_from: LocalTime | None = None
    """Local time of the company from which on only the list in the product is added to."""
    quiet_to: LocalTime | None = None
    """Its end, on the next day where it is not later; what waited is sent then."""


class NoteAbsence(Command):
    """A person is away: no new leads meanwhile (A13)."""

    model_config = ConfigDict(
        json_schema_extra=example(since="2024-05-06", until="2024-05-10", reason="年假")
    )

    since: Day
    """First local date."""
    until: Day
    """Last local date."""
    reason: Note | None = None


class CancelAbsence(Command):
    """An absence of exactly these dates does not take place."""

    model_config = ConfigDict(json_schema_extra=example(since="2024-05-06", until="2024-05-10"))

    since: Day
    until: Day


class DeactivatePerson(Command):
    """A person leaves: no login, no new leads (R102, R103)."""

    model_config = ConfigDict(json_schema_extra=example(reason="离职", hand_over="李雷"))

    reason: Note | None = None
    hand_over: Label | None = None
    """Who gets their open leads: a person's name, or `by-rule`."""


class ReactivatePerson(Command):
    """A person is back, with the role they had."""

    model_config = ConfigDict(json_schema_extra=example(reason="返聘"))

    reason: Note | None = None


PERSON: Kind[Person] = Kind(lambda _: Person(), evolve, lambda subject: person_id(subject.name))


def _add(c: AddPerson, facts: Facts) -> Decide:
    return partial(
        add_person,
        now=facts.now,
        name=c.name,
        role=c.role,
        team=c.team or None,
        email=c.email or None,
    )


def _change(c: ChangePerson, facts: Facts) -> Decide:
    given = {name: getattr(c, name) for name in c.model_fields_set}
    for cleared in {"team", "email"} & given.keys():
        given[cleared] = given[cleared] or None
    if "coverage" in given:
        given["coverage"] = Coverage(**(c.coverage or PersonCoverage()).model_dump())
    if given.get("weight", UNCHANGED) is None:
        given["weight"] = Person().weight
    changes = Changes(**given)
    return partial(decide.change_person, now=facts.now, changes=changes, duties=_duties(facts))


def _set_notifications(c: SetNotifications, facts: Facts) -> Decide:
    usual = Preferences()
    given = {name: getattr(c, name) for name in c.model_fields_set}
    for name in {"channels", "language"} & given.keys():
        given[name] = given[name] or getattr(usual, name)
    return partial(set_preferences, now=facts.now, given=given)


def _note_absence(c: NoteAbsence, facts: Facts) -> Decide:
    return partial(
        decide.note_absence, now=facts.now, since=c.since, until=c.until, reason=c.reason or None
    )


def _cancel_absence(c: CancelAbsence, facts: Facts) -> Decide:
    return partial(decide.cancel_absence, now=facts.now, since=c.since, until=c.until)


def _deactivate(c: DeactivatePerson, facts: Facts) -> Decide:
    return partial(
        decide.deactivate,
        now=facts.now,
        duties=_duties(facts),
        reason=c.reason or None,
        handed_over_to=c.hand_over or None,
    )


def _duties(facts: Facts) -> Duties:
    name, register = facts.subject.name, facts.register
    last_admin = register.administrators == {name}
    return Duties(facts.open_leads, register.teams_led_by(name), last_admin)


def _reactivate(c: ReactivatePerson, facts: Facts) -> Decide:
    return partial(decide.reactivate, now=facts.now, reason=c.reason or None)


WIRING: Mapping[type[Command], Wiring] = {
    AddPerson: Wiring(PERSON, _add),
    ChangePerson: Wiring(PERSON, _change),
    SetNotifications: Wiring(PERSON, _set_notifications),
    NoteAbsence: Wiring(PERSON, _note_absence),
    CancelAbsence: Wiring(PERSON, _cancel_absence),
    DeactivatePerson: Wiring(PERSON, _deactivate),
    ReactivatePerson: Wiring(PERSON, _reactivate),
}
