"""From a checked command on the company to the decision that judges it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from aggregates.event import Event
from aggregates.refusal import Refusal
from commands.holidays import Holidays, NoHolidays
from commands.loop import Versioned
from commands.register import Register

S = TypeVar("S", bound=Versioned)


class Subject(NamedTuple):
    """What a command is about: a person, a team, a kind of rules, an entry of the list `of`."""

    name: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision needs besides the command. `open_leads`: how many are owned by somebody who
    may own none afterwards; `in_pools`: how many each pool holds, for other rules on pools;
    `holidays`: where those of a calendar's country come from.
    """

    now: datetime
    subject: Subject
    register: Register
    open_leads: int = 0
    in_pools: Mapping[str, int] = field(default_factory=dict)
    holidays: Holidays = field(default_factory=NoHolidays)


@dataclass(frozen=True)
class Kind(Generic[S]):
    """A kind of aggregate: how it begins, how it changes, where it stands in the log."""

    initial: Callable[[UUID], S]
    evolve: Callable[[S, Event], S]
    stream: Callable[[Subject], UUID]


class Wiring(NamedTuple):
    """What is done with a command: which kind of aggregate judges it, and how."""

    kind: Kind[Any]
    judge: Callable[[Any, Facts], Callable[[Any], Sequence[Event]]]


def active_person(register: Register, name: str, field: str) -> str:
    """The name of somebody active with a login, or a refusal that blames the field."""
    person = register.people.get(name)
    if person is None or not person.active or person.role is None:
        raise Refusal("not-active", f"{name} is nobody active in the directory", field)
    return name
