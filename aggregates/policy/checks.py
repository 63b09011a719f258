"""What rule books have to check more than once. ValueError names the field and what it takes."""

from collections.abc import Collection, Iterable

DAYS = 366
HOURS = DAYS * 24
MINUTES = HOURS * 60
"""In a year, the longest time that a rule may give."""


def above_zero(**fields: int) -> None:
    """Every one of these is above 0."""
    for name, value in fields.items():
        if value <= 0:
            raise ValueError(f"{name} must be above 0")


def above_zero_up_to(most: int, **fields: int) -> None:
    """The same, and none is beyond `most`: what is due in a century is due never."""
    above_zero(**fields)
    for name, value in fields.items():
        if value > most:
            raise ValueError(f"{name} must be at most {most:,}")


def some(name: str, entries: Collection[str]) -> None:
    """There is one to choose."""
    if not entries:
        raise ValueError(f"{name} is empty: name at least one")


def named_apart(what: str, names: Iterable[str]) -> None:
    """Every one has a name of its own, since a name says which of them decided."""
    seen: set[str] = set()
    for name in names:
        if not name.strip():
            raise ValueError(f"one of the {what} has no name")
        if name in seen:
            raise ValueError(f"two of the {what} are named {name}: a name says which one decided")
        seen.add(name)
