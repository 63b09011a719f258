"""Commands on teams (R5, R115)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pydantic import ConfigDict

from aggregates.directory.state import Person, Team, evolve_team, team_id
from aggregates.directory.team import add_team, set_supervisor
from aggregates.event import Event
from commands.company.wiring import Facts, Kind, Wiring, active_person
from commands.fields import Command, Label, Name, example

Decide = Callable[[Team], Sequence[Event]]


class AddTeam(Command):
    """Add a team."""

    model_config = ConfigDict(json_schema_extra=example(name="华东一组", supervisor="李雷"))

    name: Name
    supervisor: Label | None = None


class SetSupervisor(Command):
    """Put an active supervisor in charge of a team; null = nobody (R115)."""

    model_config = ConfigDict(json_schema_extra=example(supervisor="李雷"))

    supervisor: Label | None
    """A person whose role is supervisor."""


TEAM: Kind[Team] = Kind(lambda _: Team(), evolve_team, lambda subject: team_id(subject.name))


def _add(c: AddTeam, facts: Facts) -> Decide:
    return partial(
        add_team, now=facts.now, name=c.name, supervisor=_supervisor(c.supervisor, facts)
    )


def _set_supervisor(c: SetSupervisor, facts: Facts) -> Decide:
    return partial(set_supervisor, now=facts.now, supervisor=_supervisor(c.supervisor, facts))


def _supervisor(name: str | None, facts: Facts) -> Person | None:
    return (
        facts.register.people[active_person(facts.register, name, "supervisor")] if name else None
    )


WIRING: Mapping[type[Command], Wiring] = {
    AddTeam: Wiring(TEAM, _add),
    SetSupervisor: Wiring(TEAM, _set_supervisor),
}
