"""Entering a lead: judged for completeness, label and duplicates in one commit (R15-R30, A1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aggregates.event import Event
from aggregates.lead import completeness, label
from aggregates.lead.assign import first_assignment
from aggregates.lead.duplicates import Same, suspicions
from aggregates.lead.events import Details, LabelOverridden, LeadCaptured, StageChanged
from aggregates.lead.state import TO_FOLLOW_UP, UNASSIGNED, Lead
from aggregates.policy.book import Policies
from aggregates.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Entry:
    """What is entered. `level` and `segment` are a label by hand; `doubted` are fields that lack
    something though they have a value (A7); `owner` gets the lead at once.
    """

    code: str
    details: Details = field(default_factory=dict)
    owner: str | None = None
    team: str | None = None
    level: str | None = None
    segment: str | None = None
    doubted: Sequence[str] = ()
    entered_by: str | None = None


def capture(
    lead: Lead, *, now: datetime, entry: Entry, policies: Policies, same: Same
) -> list[Event]:
    """Record a new lead. An owner and a stage that imported facts gave it stay."""
    if lead.captured:
        raise Refusal("already-captured", f"this lead is already captured as {lead.code}")
    profile = {**lead.profile, **entry.details}
    return [
        LeadCaptured(
            occurred_at=now, code=entry.code, details=entry.details, entered_by=entry.entered_by
        ),
        *_first_stage(lead, now),
        *completeness.judged(
            lead, profile, now=now, policy=policies.completeness, doubted=entry.doubted
        ),
        _first_label(entry, profile, now, policies),
        *suspicions(lead, same, now=now, policy=policies.duplicates),
        *_first_owner(lead, now, entry),
    ]


def _first_stage(lead: Lead, now: datetime) -> list[Event]:
    if lead.stage:
        return []
    return [StageChanged(occurred_at=now, stage=TO_FOLLOW_UP if lead.owner else UNASSIGNED)]


def _first_label(
    entry: Entry, profile: Mapping[str, object], now: datetime, policies: Policies
) -> Event:
    if entry.level:
        return LabelOverridden(occurred_at=now, level=entry.level, segment=entry.segment)
    return label.first_label(profile, now=now, policy=policies.labelling)


def _first_owner(lead: Lead, now: datetime, entry: Entry) -> list[Event]:
    if lead.owner or not entry.owner:
        return []
    return first_assignment(now, entry.owner, entry.team, lead.stage or UNASSIGNED)
