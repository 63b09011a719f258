"""A lead's life step by step, from its history: what each event said and changed, by which rules.

A step shows the lead's state before and after, as the lead itself is shown (masked, other leads
only to those who may see them): folding the values that the steps came to gives the lead as it is
read. Fields are named as in the lead; an attribute is `attribute:<name>`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from aggregates.event import Event, Meta, Recorded
from aggregates.lead.citations import Cited, cited
from aggregates.lead.events import PROFILE
from aggregates.lead.evolve import evolve
from aggregates.lead.in_words import sentence
from aggregates.lead.state import Lead
from aggregates.lead.timer_changes import TimerChange, timer_changes
from aggregates.lead.wording import Others, Scene
from aggregates.privacy import mask_attribute, mask_event, mask_field, mask_text

OF_OTHERS = ("other", "into")
"""Fields of events that name another lead."""
ELSEWHERE = frozenset((
    "id", "version", "timers", "profile", "attributes", "entries", "attachments", "shared_with",
    "dismissed", "suspects", "explanation", "labelled_by", "label_policy", "label_overridden",
    "typed",
    "merged_into", "effort",
))  # fmt: skip
"""What of a lead is shown otherwise, or gathers what the events say."""
SHOWN_AS = {"explanation": "assignment", "into": "merged_into", "rule": "label"}
"""Fields of events that change a field of another name."""
CITED = frozenset(("policy", "calendar"))


class Told(NamedTuple):
    """An event as an auditor reads it: in the log, with who caused it. `erased`: it held personal
    values, which are gone.
    """

    recorded: Recorded
    topic: str
    meta: Meta
    erased: bool = False


class Change(NamedTuple):
    """A field's value before and after."""

    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a lead. Everything in it is masked.

    `says`: what the event says and no change, timer or rule shows. `erased` as in Told.
    """

    position: int
    version: int
    topic: str
    occurred_at: datetime | None
    recorded_at: datetime
    meta: Meta
    in_words: str
    changes: Mapping[str, Change]
    timers: Sequence[TimerChange]
    rules: Sequence[Cited]
    says: Mapping[str, Any]
    erased: bool = False


def known(
    told: Iterable[Told], as_of: datetime | None, as_known: datetime | None
) -> Iterator[Told]:
    """Of a history what had happened before an instant (at a known time), and what had been
    recorded up to an instant, that one included; None = all.
    """
    for one in told:
        at = one.recorded.event.occurred_at
        if (as_of is None or (at is not None and at < as_of)) and (
            as_known is None or one.recorded.recorded_at <= as_known
        ):
            yield one


def named(told: Iterable[Told]) -> set[UUID]:
    """The other leads that a history speaks of."""
    events = [one.recorded.event for one in told]
    return {lead for event in events for n in OF_OTHERS if (lead := getattr(event, n, None))}


def replay(
    lead: UUID, told: Sequence[Told], zone: ZoneInfo, others: Others, *, after: int = 0
) -> Iterator[Step]:
    """The steps behind version `after`, in order. `others` are the leads that may be named."""
    state = Lead(lead)
    for one in told:
        before, state = state, evolve(state, one.recorded.event)
        if one.recorded.version > after:
            yield _step(one, before, state, zone, others)


def values(lead: Lead, others: Others) -> dict[str, Any]:
    """Every value of a lead by its name, not masked but for other leads that are not to be seen."""
    own = {name: value for name, value in vars(lead).items() if name not in ELSEWHERE}
    merged = lead.merged_into
    return {
        **own,
        "completeness": lead.completeness,
        "activity": lead.activity,
        "disposition": lead.disposition,
        "assignment": lead.explanation or None,
        "label": {
            "rule": lead.labelled_by,
            "policy_version": lead.label_policy and lead.label_policy.version,
            "by_hand": lead.label_overridden,
        },
        "duplicates": [
            {**_other(other, others), "certain": why.certain, "by": why.by}
            for other, why in lead.suspects.items()
        ],
        "merged_into": merged and _other(merged, others),
        **{f"effort.{name}": value for name, value in asdict(lead.effort).items()},
        **lead.profile,
        **{_named(name): value for name, value in lead.attributes.items()},
    }


def says(event: Event, others: Others) -> dict[str, Any]:
    """Field -> value, masked, of all that an event says; of other leads what may be seen."""
    shown = mask_event(event)
    said = {field.name: getattr(shown, field.name) for field in fields(shown)}
    for name in OF_OTHERS:
        if isinstance(lead := said.get(name), UUID):
            said[name] = _other(lead, others)
            said.pop("into_code", None)
    return {
        name: value
        for name, value in said.items()
        if value not in (None, "", (), {}) and name != "occurred_at"
    }


def _step(one: Told, before: Lead, after: Lead, zone: ZoneInfo, others: Others) -> Step:
    position, _, version, recorded_at, event = one.recorded
    shown = mask_event(event)
    changes, timers = _changes(before, after, others), timer_changes(before, after, event)
    scene = Scene(one.meta.actor, zone, others, before.stage)
    return Step(
        position,
        version,
        one.topic,
        event.occurred_at,
        recorded_at,
        one.meta,
        sentence(shown, scene, erased=one.erased),
        changes,
        timers,
        cited(shown),
        _further(says(event, others), changes, timers),
        one.erased,
    )


def _changes(before: Lead, after: Lead, others: Others) -> dict[str, Change]:
    """Compared before they are masked: a number that changed may look as it did."""
    old, new = values(before, others), values(after, others)
    return {
        mask_text(name): Change(_masked(name, old.get(name)), _masked(name, new.get(name)))
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    }


def _masked(name: str, value: Any) -> Any:
    return mask_attribute(value) if name.startswith("attribute:") else mask_field(name, value)


def _further(
    said: Mapping[str, Any], changes: Mapping[str, Any], timers: Sequence[TimerChange]
) -> dict[str, Any]:
    """What is told nowhere else in the step."""
    due = {change.after.due_at for change in timers if change.after}
    moved = {change.name for change in timers}
    details = {_named(name): value for name, value in said.get("details", {}).items()}
    left = {n: v for n, v in {**details, **said}.items() if n not in CITED and n != "details"}
    if clocks := [clock for clock in left.pop("clocks", ()) if clock.name not in moved]:
        left["clocks"] = clocks
    return {
        name: value
        for name, value in left.items()
        if value is not None and SHOWN_AS.get(name, name) not in changes
        if not (isinstance(value, datetime) and value in due)
    }


def _named(name: str) -> str:
    """What stands under this name in `details`, among the fields of the lead."""
    return name if name in PROFILE else f"attribute:{name}"


def _other(lead: UUID, others: Others) -> dict[str, Any]:
    """Another lead, for those who may see it."""
    return {"id": lead if lead in others else None, "code": others.get(lead)}
