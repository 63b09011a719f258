"""Leads that may be one: suspected at once, merged or told apart by a person (R2, A1).

Nothing is ever deleted: a merged lead keeps its events, and unmerging is an event like any other.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from aggregates.event import Event
from aggregates.lead.events import DuplicateDismissed, DuplicateSuspected, LeadsMerged, MergeUndone
from aggregates.lead.guards import require_captured
from aggregates.lead.pause import end_of_pause
from aggregates.lead.state import Disposition, Lead
from aggregates.policy.book import InForce
from aggregates.policy.entry import Duplicates
from aggregates.refusal import Refusal

MOST_AT_ONCE = 10
"""So many leads are named; the certain ones first, then those that were there first."""

Same = Mapping[str, Sequence[UUID]]
"""The leads that have the same phone, email or customer name, or once had it, first ones first."""


def suspicions(
    lead: Lead, same: Same, *, now: datetime, policy: InForce[Duplicates]
) -> list[DuplicateSuspected]:
    """A suspicion for each other lead, unless it is known already."""
    by: defaultdict[UUID, list[str]] = defaultdict(list)
    for name in (*policy.rules.certain, *policy.rules.possible):
        for other in same.get(name, ()):
            by[other].append(name)
    found = [
        DuplicateSuspected(
            occurred_at=now,
            other=other,
            certain=any(name in policy.rules.certain for name in names),
            by=tuple(names),
            policy=policy.ref,
        )
        for other, names in by.items()
        if other != lead.id
    ]
    new = (s for s in found if s.other not in lead.suspects or s.certain > _known(lead, s.other))
    return sorted(new, key=lambda s: not s.certain)[:MOST_AT_ONCE]


def dismiss(lead: Lead, other: Lead, *, now: datetime, reason: str | None) -> list[Event]:
    """Say that two leads are two, whichever of them suspects the other. Said again it changes
    nothing.
    """
    require_captured(lead)
    theirs = other.suspects.get(lead.id)
    at = theirs.at if theirs and theirs.at > lead.dismissed.get(other.id, 0) else None
    if other.id not in lead.suspects and at is None:
        return []
    return [DuplicateDismissed(occurred_at=now, other=other.id, reason=reason, suspected_at=at)]


def merge(lead: Lead, into: Lead, *, now: datetime, reason: str | None) -> list[Event]:
    """Make the lead a duplicate of `into`, under which it counts; it is no longer paused.

    Once more changes nothing.
    """
    if lead.merged_into == into.id:
        return []
    require_captured(lead)
    if into.id == lead.id:
        raise Refusal("merge-with-itself", "name another lead to merge this one into", "into")
    _require_able_to_take_over(into)
    if lead.conversion:
        remedy = (
            "reverse one of the two conversions first"
            if into.conversion
            else f"merge {into.code} into {lead.code}"
        )
        raise Refusal("lead-converted", f"this lead is converted: {remedy}", "into")
    merged = LeadsMerged(occurred_at=now, into=into.id, into_code=into.code, reason=reason)
    return [*end_of_pause(lead, now), merged]


def unmerge(lead: Lead, *, now: datetime, reason: str | None) -> list[Event]:
    """Take a merge back: the lead counts again, and its clocks start anew (follow_through).

    A lead that is not merged stays as it is.
    """
    if not lead.merged_into:
        return []
    return [MergeUndone(occurred_at=now, into=lead.merged_into, reason=reason)]


def _require_able_to_take_over(into: Lead) -> None:
    if not into.captured:
        raise Refusal("unknown-lead", "there is no captured lead to merge this one into", "into")
    if into.merged_into:
        why = f"{into.code} is merged into another one: merge into that one"
        raise Refusal("lead-merged", why, "into")
    if into.erased_at:
        why = f"the personal data of {into.code} was erased: name another lead"
        raise Refusal("erased", why, "into")
    if into.disposition is Disposition.INVALID:
        raise Refusal("lead-invalid", f"{into.code} is invalid: reopen it first", "into")


def _known(lead: Lead, other: UUID) -> bool:
    return lead.suspects[other].certain
