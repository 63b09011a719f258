"""The command that brings rules into force, and which rules were in force when."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from aggregates.event import Event, Recorded
from aggregates.policy.activate import Versions, activate, evolve, initial, policy_id
from aggregates.policy.book import BUILT_IN, as_document
from aggregates.policy.events import PolicyVersionActivated
from commands.company.rule_targets import require_known_targets
from commands.company.rule_time import require_working_time
from commands.company.wiring import Facts, Kind, Wiring
from commands.fields import Command, Note, example
from commands.policy_documents import known_kind, read

Decide = Callable[[Versions], Sequence[Event]]


class ActivatePolicy(Command):
    """Bring rules into force from now on; fields that are not given have their defaults."""

    model_config = ConfigDict(
        json_schema_extra=example(document={"max_days": 60}, reason="季度复盘")
    )

    document: Annotated[dict[str, Any], Field(max_length=100)]
    """The rules, as docs/reference/policies.md shows them."""
    reason: Note | None = None


POLICY: Kind[Versions] = Kind(initial, evolve, lambda subject: policy_id(known_kind(subject.name)))


def _activate(c: ActivatePolicy, facts: Facts) -> Decide:
    rules = read(facts.subject.name, c.document)

    def decide(versions: Versions) -> Sequence[Event]:
        """What is in force already stays so, whoever has left since."""
        events = activate(versions, now=facts.now, rules=rules, reason=c.reason or None)
        if events:
            require_known_targets(rules, facts.register, facts.in_pools)
            require_working_time(rules, facts.register.policies, facts.holidays, facts.now)
        return events

    return decide


WIRING: Mapping[type[Command], Wiring] = {ActivatePolicy: Wiring(POLICY, _activate)}


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """Rules that were in force from a position of the log on; the built-in ones from 0."""

    kind: str
    version: int
    hash: str
    document: Mapping[str, Any]
    position: int = 0
    activated_at: datetime | None = None
    reason: str | None = None


def versions(kind: str, recorded: Iterable[Recorded]) -> list[PolicyVersion]:
    """Every version of a kind, the built-in one first, from the kind's stream."""
    built_in = BUILT_IN[known_kind(kind)]
    found = [PolicyVersion(kind, 1, built_in.ref.hash, as_document(built_in.rules))]
    for position, _, _, at, event in recorded:
        if isinstance(event, PolicyVersionActivated):
            found.append(
                PolicyVersion(
                    kind, event.version, event.hash, event.document, position, at, event.reason
                )
            )
    return found


def in_force(
    versions: Sequence[PolicyVersion], *, at: datetime | None = None, position: int | None = None
) -> PolicyVersion:
    """The version in force now, or at an instant, or at a position (both included)."""
    return [
        version
        for version in versions
        if (at is None or version.activated_at is None or version.activated_at <= at)
        and (position is None or version.position <= position)
    ][-1]
