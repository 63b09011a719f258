"""Rules as documents: read strictly when they are to come into force, tolerantly ever after.

A document that was stored by another version of the program still loads: what it does not name has
its default, what is no longer known does no harm.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from aggregates.policy.book import KINDS, as_document
from aggregates.refusal import Refusal
from commands.validation import sentence

_ADAPTERS: Mapping[str, TypeAdapter[Any]] = {k: TypeAdapter(t) for k, t in KINDS.items()}


class InvalidPolicy(Refusal):
    """A document that is no rules of its kind. `problems`: the path of a field, what is wrong."""

    def __init__(self, kind: str, problems: Iterable[tuple[tuple[str | int, ...], str]]) -> None:
        self.problems = tuple(problems)
        path, what = self.problems[0]
        where = f"{dotted(path)}: " if path else ""
        super().__init__("invalid-policy", f"{kind} rules: {where}{what}", "document")


def known_kind(kind: str) -> str:
    """The kind, or a refusal that names those there are."""
    if kind not in KINDS:
        raise Refusal("no-such-policy", f"the kind of rules is one of {', '.join(KINDS)}")
    return kind


def read(kind: str, document: Mapping[str, Any]) -> Any:
    """The rules that a new document states; InvalidPolicy names every field at fault.

    Fields that are not given have their defaults; unknown ones are refused. Dates may be dates.
    """
    try:
        return _load(known_kind(kind), document, extra="forbid")
    except ValidationError as error:
        found = ((item["loc"], sentence(item)) for item in error.errors())
        raise InvalidPolicy(kind, found) from None


def load(kind: str, document: Mapping[str, Any]) -> Any | None:
    """The rules that a stored document states; None when it cannot be understood any more."""
    try:
        return _load(kind, document, extra="ignore") if kind in KINDS else None
    except ValidationError:
        return None


def normal(kind: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stored document with every field of today; as it is when it cannot be understood."""
    rules = load(kind, document)
    return document if rules is None else as_document(rules)


def dotted(path: Iterable[str | int]) -> str:
    """A path as people write it: rules[0].target.name."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(steps).removeprefix(".")


def _load(kind: str, document: Mapping[str, Any], *, extra: Any) -> Any:
    return _ADAPTERS[kind].validate_json(
        json.dumps(document, ensure_ascii=False, default=str), strict=True, extra=extra
    )
