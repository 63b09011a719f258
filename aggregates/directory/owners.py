"""Who may own leads, as the directory says it (R7, R102)."""

from collections.abc import Mapping
from difflib import get_close_matches

from aggregates.directory.state import Person
from aggregates.refusal import Refusal

OWNING_ROLES = frozenset({"sales", "supervisor", "admin"})
NAMED, ALIKE = 3, 0.5
"""So many names a hint gives, so much alike: of two characters one may be wrong."""

People = Mapping[str, Person]


def may_own(person: Person) -> bool:
    """Whether leads may belong to somebody: active, with a role that owns leads."""
    return person.active and person.role in OWNING_ROLES


def has_gone(person: Person) -> bool:
    """Whether somebody has to be without leads; whom only an import has named keeps theirs."""
    return not may_own(person) and not (person.active and person.role is None)


def require_owner(people: People, name: str, field: str = "owner") -> None:
    """Somebody active who may own leads. A company without sales people may name anybody."""
    if not any(person.role == "sales" for person in people.values()):
        return
    person = people.get(name)
    if person is None:
        raise Refusal("unknown-person", f"nobody is called {name}{_hint(people, name)}", field)
    if not person.active:
        raise Refusal("not-active", f"{name} has left the company", field)
    if person.role not in OWNING_ROLES:
        role = person.role or "known from an import only"
        raise Refusal("cannot-own", f"{name} is {role}: leads are owned by people in sales", field)


def team_of(people: People, name: str) -> str | None:
    """The team that somebody's leads belong to unless it is said otherwise."""
    person = people.get(name)
    return person.team if person else None


def _hint(people: People, name: str) -> str:
    owners = [n for n, person in people.items() if may_own(person)]
    close = get_close_matches(name, owners, NAMED, ALIKE)
    return f": did you mean {' or '.join(close)}?" if close else ""
