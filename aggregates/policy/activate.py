"""Bringing another version of a kind of rules into force. One stream per kind."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from aggregates.event import Event, PolicyRef
from aggregates.policy.book import BUILT_IN, KINDS, as_document, cite
from aggregates.policy.events import PolicyVersionActivated

POLICIES = UUID("3c7de0a5-0a0f-4d6e-8f4f-0c5b7a8f6a21")


def policy_id(kind: str) -> UUID:
    """The stream of a kind of rules."""
    return uuid5(POLICIES, kind)


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a kind so far; `ref` cites the one in force."""

    ref: PolicyRef
    version: int = 0


_BY_STREAM = {policy_id(kind): Versions(BUILT_IN[kind].ref) for kind in KINDS}


def initial(stream: UUID) -> Versions:
    """What is in force before the first activation: version 1, which is built in."""
    return _BY_STREAM[stream]


def evolve(versions: Versions, event: Event) -> Versions:
    """The versions after one more event; unknown events only count."""
    versions = replace(versions, version=versions.version + 1)
    if isinstance(event, PolicyVersionActivated):
        return replace(versions, ref=PolicyRef(event.kind, event.version, event.hash))
    return versions


def activate(
    versions: Versions, *, now: datetime, rules: Any, reason: str | None = None
) -> Sequence[Event]:
    """Bring rules into force; those that are in force already change nothing."""
    ref = cite(versions.ref.kind, versions.ref.version + 1, rules)
    if ref.hash == versions.ref.hash:
        return []
    return [
        PolicyVersionActivated(
            occurred_at=now,
            kind=ref.kind,
            version=ref.version,
            document=as_document(rules),
            hash=ref.hash,
            reason=reason,
        )
    ]
