"""What can happen to rules: another version of them comes into force."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from aggregates.event import Event


@dataclass(frozen=True, kw_only=True)
class PolicyVersionActivated(Event):
    """These rules are in force from this event's position on; version 1 was built in.

    `document` holds every field of the rules, `hash` the SHA-256 of its canonical JSON in hex.
    """

    topic: ClassVar[str] = "policy.activated"

    kind: str
    version: int
    document: Mapping[str, Any] = field(default_factory=dict)
    hash: str
    reason: str | None = None


EVENTS: tuple[type[Event], ...] = (PolicyVersionActivated,)
