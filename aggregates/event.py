"""What every event of leadlog has in common.

An event is an immutable fact in the past tense. Its `topic` is the literal name it is stored
under for ever; its fields are its stored shape, pinned by a golden file. A field that is None is
not stored, so a field may be added later without a new schema version.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar, NamedTuple
from uuid import UUID

PERSONAL = "personal"
Personal = Annotated[str, PERSONAL]
"""A text that is sealed with its lead's key: what people typed about a customer, or may have."""


class Stored:
    """Identity that the log adds when it hands an event out (never set by a decision)."""

    originator_id: UUID
    originator_version: int


@dataclass(frozen=True, kw_only=True)
class Event(Stored):
    """A fact. `occurred_at` is when it happened (UTC); None = the source did not know."""

    topic: ClassVar[str]
    class_version: ClassVar[int] = 1

    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PolicyRef:
    """Which rules an automatic decision followed: kind, version, SHA-256 of their text in hex."""

    kind: str
    version: int
    hash: str


@dataclass(frozen=True, slots=True)
class Meta:
    """Who caused an event and by which command.

    `actor` is `user:<name>`, `process:<name>`, `import:<source>` or `operator:<os user>`.
    `correlation_id` names the intent the command belongs to, `causation_id` the event or command
    before it; None where they equal the command id.
    """

    actor: str
    command_id: UUID
    correlation_id: UUID | None = None
    causation_id: UUID | None = None


class Recorded(NamedTuple):
    """An event as it stands in the log: position 1..n over all streams, version 1..n in its own.

    `recorded_at` (UTC) is set by the database under the append lock and never decreases along
    positions.
    """

    position: int
    stream: UUID
    version: int
    recorded_at: datetime
    event: Event
