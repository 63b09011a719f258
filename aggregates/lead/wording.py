"""The words that the sentences about events share: who, when, how long, values that are quoted."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

ERASED = "(erased)"
LONGEST = 60
"""Characters of a value that a sentence quotes; the step shows all of it."""

_WHO: Mapping[str, str] = {
    "user": "User",
    "process": "The process",
    "import": "The import",
    "operator": "The operator",
}

Others = Mapping[UUID, str | None]
"""The other leads that the reader may see, with their codes (None = it has none)."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a sentence takes from around its event: the actor (as in Meta), the company's zone, the
    other leads that may be named, and the stage before the event.
    """

    actor: str
    zone: ZoneInfo
    others: Others
    stage: str | None = None

    @property
    def who(self) -> str:
        """The actor in words."""
        return who(self.actor)

    def at(self, instant: datetime) -> str:
        """An instant in the company's zone, with its offset."""
        return instant.astimezone(self.zone).isoformat(sep=" ", timespec="minutes")

    def lead(self, lead: UUID) -> str:
        """Another lead, if the reader may see it."""
        return f"lead {self.others[lead] or lead}" if lead in self.others else "another lead"


class Sentence(Protocol):
    """Tells events of one type, masked already, without a full stop."""

    def __call__(self, event: Any, scene: Scene, /) -> str:
        """The sentence."""
        ...


def who(actor: str) -> str:
    """An actor in words.

    >>> who("user:王强"), who("process:deadlines"), who("unknown")
    ('User 王强', 'The process deadlines', 'unknown')
    """
    kind, _, name = actor.partition(":")
    return f"{_WHO[kind]} {name}" if kind in _WHO and name else actor


def quoted(value: Any) -> str:
    """A value as a sentence has it: short, and no Python.

    >>> quoted("官网注册"), quoted(["a", 1]), quoted(None)
    ('官网注册', '["a", 1]', 'nothing')
    """
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST else f"{flat[: LONGEST - 1]}…"


def kept(value: Any) -> str:
    """A value that every such event was recorded with: without it, it was erased."""
    return ERASED if value is None else quoted(value)


def because(reason: str | None, note: str | None = None) -> str:
    """What was given as a reason, if something was."""
    given = [quoted(part) for part in (reason, note) if part]
    return f": {', '.join(given)}" if given else ""


def listed(values: Iterable[Any]) -> str:
    """Several values in a row."""
    return ", ".join(map(quoted, values)) or "nothing"


def lasting(seconds: float) -> str:
    """A span of time in its two largest units.

    >>> lasting(45), lasting(18_180), lasting(273_600)
    ('45 s', '5 h 3 min', '3 d 4 h')
    """
    left, units = int(abs(seconds)), (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts = []
    for unit, length in units:
        number, left = divmod(left, length)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"


def optional(before: str, value: Any) -> str:
    """A value with the words before it, or nothing."""
    return f"{before}{quoted(value)}" if value not in (None, "") else ""


def another(person: str | None, scene: Scene) -> bool:
    """Whether the person is somebody else than the actor."""
    return bool(person) and scene.actor != f"user:{person}"
