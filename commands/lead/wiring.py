"""From a checked command to the decision that judges it."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from aggregates.directory.scope import Scope
from aggregates.event import Event
from aggregates.lead.state import Lead
from aggregates.policy.book import Policies
from commands.caller import Caller
from commands.loop import Decision, by_state
from commands.marks import Mark
from commands.ports import NO_WORKLOAD, Workload
from commands.register import Register


class Facts(NamedTuple):
    """What a decision needs besides the command. `code` is fresh and `workload` is read only for
    commands that ask for it.
    """

    now: datetime
    zone: ZoneInfo
    caller: Caller
    register: Register
    mark: Mark
    code: str = ""
    workload: Workload = NO_WORKLOAD

    @property
    def policies(self) -> Policies:
        """The rules in force."""
        return self.register.policies

    @property
    def people(self) -> Collection[str]:
        """Whom a command may name: the directory, or nobody while nobody there has a role."""
        people = self.register.people
        return people if any(person.role for person in people.values()) else ()


class Judgement(NamedTuple):
    """How a command is judged, and the marks that it claims; `enough` as in Intent."""

    decide: Decision[Lead]
    marks: tuple[bytes, ...] = ()
    enough: int | None = None


def simply(decide: Callable[[Lead], Sequence[Event]]) -> Judgement:
    """A decision that needs to know of no other stream."""
    return Judgement(by_state(decide))


def within(lead: Lead, scope: Scope, _: Facts) -> bool:
    """Whether it is a lead that the caller works on: the rule."""
    return scope.works_on(lead)


class Wiring(NamedTuple):
    """What is done with a kind of command; `code_prefix` asks for a fresh code, `weighs` for the
    workload.

    `stream` is the new lead's where the command knows it. `works_on` says whether this caller may
    give the command on such a lead.
    """

    judge: Callable[[Any, Facts], Judgement]
    code_prefix: str | None = None
    stream: Callable[[Any], UUID | None] = lambda _: None
    weighs: bool = False
    works_on: Callable[[Lead, Scope, Facts], bool] = within
