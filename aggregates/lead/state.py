"""The lead as the fold of its events. Four axes, kept apart (A15):

stage (text, the company's pipeline or a foreign name), completeness, activity, disposition.
`evolve` takes any history that was stored and never refuses.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from aggregates.event import Event
from aggregates.lead import events as e

UNASSIGNED, TO_FOLLOW_UP, CONTACTED, WON = "待分配", "待跟进", "已联系", "成交"
PIPELINE = (UNASSIGNED, TO_FOLLOW_UP, CONTACTED, "需求确认", "方案提交", "商务谈判", WON)
"""The stages of R52 and A15, in order."""


class Completeness(StrEnum):
    """Whether the required information is there (R26)."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"


class Activity(StrEnum):
    """Whether the clocks run (R107)."""

    ACTIVE = "active"
    PAUSED = "paused"


class Disposition(StrEnum):
    """What became of the lead."""

    OPEN = "open"
    CONVERTED = "converted"
    INVALID = "invalid"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Conversion:
    """The standing conversion: when (UTC, None = unknown), on which basis, by whom."""

    at: datetime | None
    basis: str | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class Lead:
    """A lead's current state. `version` counts its events; 0 = nothing is known of it."""

    id: UUID
    version: int = 0
    code: str | None = None
    external_id: str | None = None
    source_system: str | None = None
    captured: bool = False
    captured_at: datetime | None = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    stage: str | None = None
    completeness: Completeness = Completeness.COMPLETE
    activity: Activity = Activity.ACTIVE
    follow_ups: int = 0
    first_attempt_at: datetime | None = None
    first_response_at: datetime | None = None
    conversion: Conversion | None = None
    amount: Decimal | None = None
    invalidated: bool = False
    invalid_reason: str | None = None

    @property
    def owner(self) -> str | None:
        """The one person responsible (R7, R8)."""
        return self.profile.get("owner")

    @property
    def disposition(self) -> Disposition:
        """A loss after a conversion leaves the lead converted (interface.md section 4)."""
        if self.conversion:
            return Disposition.CONVERTED
        return Disposition.INVALID if self.invalidated else Disposition.OPEN


def earliest(a: datetime | None, b: datetime | None) -> datetime | None:
    """The earlier of two instants; an unknown one does not count."""
    return min(a, b) if a and b else a or b


def with_details(lead: Lead, details: Mapping[str, Any], **changes: Any) -> Lead:
    """The lead with new values: profile fields by their name, anything else as an attribute."""
    if not details:
        return replace(lead, **changes)
    profile = {k: v for k, v in details.items() if k in e.PROFILE}
    other = {k: v for k, v in details.items() if k not in e.PROFILE}
    return replace(
        lead,
        profile={**lead.profile, **profile} if profile else lead.profile,
        attributes={**lead.attributes, **other} if other else lead.attributes,
        **changes,
    )


def _captured(lead: Lead, event: e.LeadCaptured) -> Lead:
    if lead.captured:  # said twice: the first one dates the lead, new values still count
        return with_details(lead, event.details)
    return with_details(
        lead,
        event.details,
        captured=True,
        captured_at=event.occurred_at,
        code=event.code,
        external_id=event.external_id,
        source_system=event.source_system,
    )


def _assigned(lead: Lead, event: e.LeadAssigned) -> Lead:
    named = {"owner": event.owner, "team": event.team}
    return with_details(lead, {**event.details, **{k: v for k, v in named.items() if v}})


def _reassigned(lead: Lead, event: e.LeadReassigned) -> Lead:
    return with_details(lead, {"owner": event.owner, "team": event.team})


def _stage_changed(lead: Lead, event: e.StageChanged) -> Lead:
    return replace(lead, stage=event.stage)


def _follow_up(lead: Lead, event: e.FollowUpRecorded) -> Lead:
    attempt = earliest(lead.first_attempt_at, event.occurred_at)
    response = earliest(lead.first_response_at, event.occurred_at)
    return replace(
        lead,
        follow_ups=lead.follow_ups + 1,
        first_attempt_at=attempt,
        first_response_at=response if event.connected else lead.first_response_at,
    )


def _invalidated(lead: Lead, event: e.LeadInvalidated) -> Lead:
    return replace(lead, invalidated=True, invalid_reason=event.reason)


def _reopened(lead: Lead, _: e.LeadReopened) -> Lead:
    return replace(lead, invalidated=False, invalid_reason=None)


def _converted(lead: Lead, event: e.LeadConverted) -> Lead:
    after = with_details(lead, event.details)
    return replace(
        after,
        conversion=Conversion(event.occurred_at, event.basis, after.owner),
        amount=lead.amount if event.amount is None else event.amount,
    )


def _reversed(lead: Lead, _: e.ConversionReversed) -> Lead:
    return replace(lead, conversion=None, amount=None)


_EVOLVE: dict[type[Event], Callable[[Lead, Any], Lead]] = {
    e.LeadCaptured: _captured,
    e.LeadAssigned: _assigned,
    e.LeadReassigned: _reassigned,
    e.StageChanged: _stage_changed,
    e.FollowUpRecorded: _follow_up,
    e.LeadInvalidated: _invalidated,
    e.LeadReopened: _reopened,
    e.LeadConverted: _converted,
    e.ConversionReversed: _reversed,
}


def evolve(lead: Lead, event: Event) -> Lead:
    """The lead after one more event. An event this program does not know only counts."""
    change = _EVOLVE.get(type(event))
    after = change(lead, event) if change else lead
    return replace(after, version=lead.version + 1)


def fold(lead: Lead, events: Iterable[Event]) -> Lead:
    """The lead after all of `events`, in order."""
    for event in events:
        lead = evolve(lead, event)
    return lead
