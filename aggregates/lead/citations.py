"""Which rules an event followed: kind, version, hash, and what of them matched."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aggregates.event import Event, PolicyRef
from aggregates.lead import events as e
from aggregates.lead import time_events as t
from aggregates.lead.wording import listed, quoted


@dataclass(frozen=True, slots=True)
class Cited:
    """A version of the rules of a kind, by the SHA-256 of their text in hex. `rule`: the name of
    the one that matched; `matched`: what of the lead it looked at, or what it found, in words.
    Either is None where the event does not say.
    """

    kind: str
    version: int
    hash: str
    rule: str | None = None
    matched: str | None = None


def cited(event: Event) -> tuple[Cited, ...]:
    """The rules that an event cites, which is masked already."""
    return (*_by_reference(event), *_inside(event))


def _by_reference(event: Event) -> Iterator[Cited]:
    """Those of the fields `policy` and `calendar`."""
    for name in ("policy", "calendar"):
        ref = getattr(event, name, None)
        if isinstance(ref, PolicyRef):
            own = (getattr(event, "rule", None), _matched(event)) if name == "policy" else ()
            yield Cited(ref.kind, ref.version, ref.hash, *own)


def _inside(event: Event) -> Iterator[Cited]:
    """Those of the explanation of an assignment and of the judgement on a follow-up."""
    for name, found in (("explanation", _of_choice), ("quality", _of_quality)):
        why = getattr(event, name, None) or {}
        ref = why.get("policy")
        if isinstance(ref, Mapping) and {"kind", "version", "hash"} <= ref.keys():
            yield Cited(ref["kind"], ref["version"], ref["hash"], why.get("rule"), found(why))


def _of_choice(why: Mapping[str, Any]) -> str | None:
    target = why.get("target")
    asked = " ".join(map(str, target.values())) if isinstance(target, Mapping) else None
    default = "no rule matched; the default asks " if why.get("by_default") else "asks "
    return asked and f"{default}{asked}"


def _of_quality(why: Mapping[str, Any]) -> str | None:
    missing = f", lacking {listed(why['missing'])}" if why.get("missing") else ""
    return f"{why['verdict']}{missing}" if why.get("verdict") else None


def _matched(event: Event) -> str | None:
    """The condition as far as the event tells it."""
    match event:
        case e.LeadLabelled(rule=None):
            said: str | None = "no rule matched"
        case e.InfoMarkedIncomplete() | t.InfoCompletionOverdue():
            said = f"missing {listed(event.missing)}"
        case e.DuplicateSuspected():
            said = f"equal {listed(event.by)}"
        case t.FirstFollowUpTaskIssued() | t.FirstResponseBreached():
            said = f"level {quoted(event.level)}"
        case t.DeadlinesMoved(level=str()):
            said = f"level {quoted(event.level)}"
        case t.TaskScheduled(stage=str()):
            said = f"stage {quoted(event.stage)}"
        case t.LeadInvalidationProposed():
            said = quoted(event.reason)
        case _:
            said = None
    return said
