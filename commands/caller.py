"""Who asks for a command: named tuples, for every request makes them anew."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID


class Caller(NamedTuple):
    """`actor` is `user:<name>`, `process:<name>`, `import:<source>` or `operator:<os user>`.

    `correlation_id` names the intent that this command belongs to, `causation_id` the event or
    command before it; None where there is nothing before it.
    """

    actor: str
    correlation_id: UUID | None = None
    causation_id: UUID | None = None

    @property
    def person(self) -> str | None:
        """The user's name; None when no person asks."""
        kind, _, name = self.actor.partition(":")
        return name if kind == "user" else None


class Principal(NamedTuple):
    """A person who proved who they are, with the role that decides what they may do."""

    name: str
    role: str
    correlation_id: UUID | None = None
    """What their request names as the intent that it belongs to."""

    @property
    def caller(self) -> Caller:
        """The person as the caller of a command."""
        return Caller(f"user:{self.name}", self.correlation_id)


@dataclass(frozen=True, slots=True)
class Channel:
    """A form or webhook outside the company whose leads are of one source."""

    name: str
    source: str
    per_minute: int

    def caller(self, correlation_id: UUID | None) -> Caller:
        """The channel as the caller of a command."""
        return Caller(f"process:intake/{self.name}", correlation_id)
