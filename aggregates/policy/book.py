"""Every kind of rules there is, and the versions in force together."""
# ruff: noqa: RUF009 - _built_in makes a field

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Generic, TypeVar

from aggregates.event import PolicyRef
from aggregates.policy.entry import Completeness, Duplicates, Labelling, Screening
from aggregates.policy.ownership import Assignment, Pools
from aggregates.policy.time import Calendar, Response
from aggregates.policy.work import (
    AttachmentRules,
    CleanUp,
    ConversionRules,
    FollowUpQuality,
    PauseRules,
    Pipeline,
)

R = TypeVar("R")

KINDS: Mapping[str, type[Any]] = {
    "completeness": Completeness,
    "labelling": Labelling,
    "assignment": Assignment,
    "response": Response,
    "pipeline": Pipeline,
    "follow-up": FollowUpQuality,
    "attachments": AttachmentRules,
    "conversion": ConversionRules,
    "duplicates": Duplicates,
    "pause": PauseRules,
    "clean-up": CleanUp,
    "pool": Pools,
    "screening": Screening,
    "calendar": Calendar,
}


@dataclass(frozen=True)
class InForce(Generic[R]):
    """Rules and what to cite for them. Version 1 is the one built in."""

    rules: R
    ref: PolicyRef


def as_document(rules: Any) -> dict[str, Any]:
    """The rules as a plain JSON object with every field, in the order of their declaration."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(rules), default=sorted))
    return document


def text(rules: Any) -> str:
    """The canonical JSON of rules: equal rules have equal text."""
    return json.dumps(as_document(rules), ensure_ascii=False, sort_keys=True)


def cite(kind: str, version: int, rules: Any) -> PolicyRef:
    """What an event says of the rules it followed."""
    return PolicyRef(kind, version, sha256(text(rules).encode()).hexdigest())


BUILT_IN: Mapping[str, InForce[Any]] = {
    kind: InForce(rules(), cite(kind, 1, rules())) for kind, rules in KINDS.items()
}


def _built_in(kind: str) -> Any:
    return field(default=BUILT_IN[kind])


@dataclass(frozen=True)
class Policies:
    """The rules in force; without any activation, those built in."""

    completeness: InForce[Completeness] = _built_in("completeness")
    labelling: InForce[Labelling] = _built_in("labelling")
    assignment: InForce[Assignment] = _built_in("assignment")
    response: InForce[Response] = _built_in("response")
    pipeline: InForce[Pipeline] = _built_in("pipeline")
    follow_up: InForce[FollowUpQuality] = _built_in("follow-up")
    attachments: InForce[AttachmentRules] = _built_in("attachments")
    conversion: InForce[ConversionRules] = _built_in("conversion")
    duplicates: InForce[Duplicates] = _built_in("duplicates")
    pause: InForce[PauseRules] = _built_in("pause")
    clean_up: InForce[CleanUp] = _built_in("clean-up")
    pool: InForce[Pools] = _built_in("pool")
    screening: InForce[Screening] = _built_in("screening")
    calendar: InForce[Calendar] = _built_in("calendar")

    def with_version(self, rules: Any, ref: PolicyRef) -> "Policies":
        """These policies with another version of one kind."""
        return replace(self, **{ref.kind.replace("-", "_"): InForce(rules, ref)})
