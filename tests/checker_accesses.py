"""The read model of accesses as it follows from a log, for the checker."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from tests.checker_fold import Fact

REVEALED, READ = "lead.contact-revealed", "access.history-read"
TOPICS = {REVEALED, READ}


def accesses(facts: Iterable["Fact"]) -> dict[str, list[dict[str, Any]]]:
    """Table `accesses`: each value shown and each history read, once."""
    return {"accesses": [_access(fact) for fact in facts if fact.topic in TOPICS]}


def _access(fact: "Fact") -> dict[str, Any]:
    said, shown = fact.data, fact.topic == REVEALED
    return {
        "position": fact.position,
        "lead": fact.stream if shown else UUID(said["lead"]),
        "person": said.get("by"),
        "kind": "reveal" if shown else "history",
        "what": said["field" if shown else "what"],
        "purpose": said["purpose"] if shown else None,
        "at": fact.at,
    }
