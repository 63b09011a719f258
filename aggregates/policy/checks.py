"""What rule books have to check more than once. ValueError names the field and what it takes."""

from collections.abc import Iterable


def above_zero(**fields: int) -> None:
    """Every one of these is above 0."""
    for name, value in fields.items():
        if value <= 0:
            raise ValueError(f"{name} must be above 0")


def named_apart(what: str, names: Iterable[str]) -> None:
    """Every one has a name of its own, since a name says which of them decided."""
    seen: set[str] = set()
    for name in names:
        if not name.strip():
            raise ValueError(f"one of the {what} has no name")
        if name in seen:
            raise ValueError(f"two of the {what} are named {name}: a name says which one decided")
        seen.add(name)
