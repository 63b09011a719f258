"""Leads: table 1 of the brief, one row per lead, and what every report by lead needs (R72-R81).

Contact details are masked on the way in. Figures that must survive a hand-over are kept where
they happened: `first_owner`, `owners` (every one, in order) and `owner_at_conversion` (A22).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from aggregates.event import Event, Recorded
from aggregates.lead import events as e
from aggregates.lead.state import earliest
from aggregates.privacy import mask_email, mask_phone, mask_text
from projections import lead_views
from projections.base import Projection, Table, dispatch


@dataclass(slots=True)
class LeadRow:
    """A lead as it stands. Times are UTC and null when unknown; a `*_position` is the log's."""

    lead: UUID
    code: str | None = None
    external_id: str | None = None
    source_system: str | None = None
    captured: bool = False
    captured_at: datetime | None = None
    captured_position: int | None = None
    customer: str | None = None
    contact: str | None = None
    contact_title: str | None = None
    phone: str | None = None
    email: str | None = None
    source: str | None = None
    industry: str | None = None
    region: str | None = None
    customer_type: str | None = None
    campaign: str | None = None
    need: str | None = None
    level: str | None = None
    segment: str | None = None
    owner: str | None = None
    team: str | None = None
    first_owner: str | None = None
    owners: list[str] = field(default_factory=list)
    first_assigned_at: datetime | None = None
    stage: str | None = None
    follow_ups: int = 0
    first_attempt_at: datetime | None = None
    first_response_at: datetime | None = None
    converted: bool = False
    converted_at: datetime | None = None
    converted_position: int | None = None
    owner_at_conversion: str | None = None
    basis: str | None = None
    amount: Decimal | None = None
    invalidated: bool = False
    invalidated_at: datetime | None = None
    invalid_reason: str | None = None
    merged: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    position: int = 0
    recorded_at: datetime | None = None


LEADS = Table(
    "leads",
    LeadRow,
    key=("lead",),
    indexes=("(code)", "(source_system, external_id)", "(captured_at)"),
)

_MASKS: Mapping[str, Callable[[str], str]] = {
    "phone": mask_phone,
    "email": mask_email,
    "need": mask_text,
}


def _apply(row: LeadRow, details: Mapping[str, Any]) -> None:
    """Take new values over: profile fields into their column, anything else as an attribute."""
    for name, value in details.items():
        if name == "owner":
            _own(row, value)
        elif name in e.PROFILE:
            mask = _MASKS.get(name)
            setattr(row, name, mask(value) if mask and value else value)
        else:
            row.attributes[name] = value


def _own(row: LeadRow, owner: str | None) -> None:
    row.owner = owner
    if owner:
        row.first_owner = row.first_owner or owner
        if owner not in row.owners:
            row.owners.append(owner)


def _captured(row: LeadRow, recorded: Recorded, event: e.LeadCaptured) -> None:
    if not row.captured:
        row.captured = True
        row.captured_at = event.occurred_at
        row.captured_position = recorded.position
        row.code = event.code
        row.external_id = event.external_id
        row.source_system = event.source_system
    _apply(row, event.details)


def _assigned(row: LeadRow, _: Recorded, event: e.LeadAssigned) -> None:
    _apply(row, event.details)
    if event.owner:
        _own(row, event.owner)
    row.team = event.team or row.team
    row.first_assigned_at = earliest(row.first_assigned_at, event.occurred_at)


def _reassigned(row: LeadRow, _: Recorded, event: e.LeadReassigned) -> None:
    _own(row, event.owner)
    row.team = event.team


def _stage_changed(row: LeadRow, _: Recorded, event: e.StageChanged) -> None:
    row.stage = event.stage


def _follow_up(row: LeadRow, _: Recorded, event: e.FollowUpRecorded) -> None:
    row.follow_ups += 1
    row.first_attempt_at = earliest(row.first_attempt_at, event.occurred_at)
    if event.connected:
        row.first_response_at = earliest(row.first_response_at, event.occurred_at)


def _invalidated(row: LeadRow, _: Recorded, event: e.LeadInvalidated) -> None:
    row.invalidated = True
    row.invalidated_at = event.occurred_at
    row.invalid_reason = event.reason


def _reopened(row: LeadRow, _: Recorded, __: e.LeadReopened) -> None:
    row.invalidated = False
    row.invalidated_at = row.invalid_reason = None


def _converted(row: LeadRow, recorded: Recorded, event: e.LeadConverted) -> None:
    _apply(row, event.details)
    row.converted = True
    row.converted_at = event.occurred_at
    row.converted_position = recorded.position
    row.owner_at_conversion = row.owner
    row.basis = event.basis
    row.amount = row.amount if event.amount is None else event.amount


def _reversed(row: LeadRow, _: Recorded, __: e.ConversionReversed) -> None:
    row.converted = False
    row.converted_at = row.converted_position = None
    row.owner_at_conversion = row.basis = row.amount = None


def _seen(row: LeadRow, recorded: Recorded) -> None:
    row.version = recorded.version
    row.position = recorded.position
    row.recorded_at = recorded.recorded_at


HANDLERS: Mapping[type[Event], Callable[[LeadRow, Recorded, Any], None]] = {
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

PROJECTION = Projection(
    name="leads",
    version=1,
    events=tuple(HANDLERS),
    tables=(LEADS,),
    fold=dispatch(LEADS, LeadRow, HANDLERS, after=_seen),
    views=lead_views.VIEWS,
)
