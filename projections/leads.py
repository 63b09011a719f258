"""Leads: table 1 of the brief, one row per lead, and what every report by lead needs (R72-R81).

Contact details are masked on the way in, but for some attributes (`lead_attributes`). Of an erased
lead what is personal is null.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from aggregates.event import Event, Recorded
from aggregates.lead import events as e
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.lead.state import earliest
from aggregates.lead.timers import COMPLETE_INFO, FIRST_FOLLOW_UP
from aggregates.personal import DETAILS
from projections import lead_attributes, lead_clocks, lead_views
from projections.base import Projection, dispatch
from projections.lead_table import LEADS, LeadRow
from projections.masking import masked


def _apply(row: LeadRow, details: Mapping[str, Any], *, history: bool = False) -> None:
    """Take new values over: profile fields into their column, anything else as an attribute."""
    for name, value in details.items():
        if name == "owner":
            _own(row, value)
        elif name in e.PROFILE:
            setattr(row, name, value)
        else:
            lead_attributes.describe(row, name, value, history=history)


def _historical(row: LeadRow) -> bool:
    """Whether an event that no command gives attributes has them from a history file."""
    return not row.captured or row.source_system is not None


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
        row.entered_by = event.entered_by
        row.source_system = event.source_system
    _apply(row, event.details, history=bool(event.source_system and not event.by_command))


def _info_changed(row: LeadRow, _: Recorded, event: e.InfoChanged) -> None:
    _apply(row, event.details)


def _incomplete(row: LeadRow, _: Recorded, event: e.InfoMarkedIncomplete) -> None:
    row.missing = list(event.missing)


def _completed(row: LeadRow, _: Recorded, __: e.InfoCompleted) -> None:
    row.missing = []
    lead_clocks.end(row, COMPLETE_INFO)


def _labelled(row: LeadRow, _: Recorded, event: e.LeadLabelled | e.LabelOverridden) -> None:
    row.level, row.segment = event.level, event.segment
    row.label_overridden = isinstance(event, e.LabelOverridden)


def _suspected(row: LeadRow, _: Recorded, event: e.DuplicateSuspected) -> None:
    if (other := str(event.other)) not in row.suspects:
        row.suspects.append(other)


def _dismissed(row: LeadRow, _: Recorded, event: e.DuplicateDismissed) -> None:
    row.suspects = [other for other in row.suspects if other != str(event.other)]


def _merged(row: LeadRow, _: Recorded, event: e.LeadsMerged) -> None:
    row.merged, row.merged_into = True, event.into


def _merge_undone(row: LeadRow, _: Recorded, __: e.MergeUndone) -> None:
    row.merged, row.merged_into = False, None


def _screened(row: LeadRow, _: Recorded, event: e.LeadScreened) -> None:
    row.screened = event.accepted


def _assigned(row: LeadRow, _: Recorded, event: e.LeadAssigned) -> None:
    _apply(row, event.details, history=_historical(row))
    row.team = event.team or row.team
    if event.owner:
        _owned(row, event.owner, event.occurred_at)
    row.first_assigned_at = earliest(row.first_assigned_at, event.occurred_at)


def _unassignable(row: LeadRow, _: Recorded, __: e.AssignmentFailed) -> None:
    row.unassignable = True


def _reassigned(row: LeadRow, _: Recorded, event: e.LeadReassigned | e.LeadHandedOver) -> None:
    row.team = event.team
    _owned(row, event.owner, event.occurred_at)


def _claimed(row: LeadRow, _: Recorded, event: e.LeadClaimed) -> None:
    row.team = event.team
    _owned(row, event.owner, event.occurred_at)
    row.first_assigned_at = earliest(row.first_assigned_at, event.occurred_at)


def _team_changed(row: LeadRow, _: Recorded, event: e.LeadTeamChanged) -> None:
    row.team = event.team


def _released(row: LeadRow, _: Recorded, event: e.LeadReleasedToPool) -> None:
    row.owner = row.team = row.assigned_at = None
    row.pool, row.unassignable = event.pool, False
    lead_clocks.end(row, FIRST_FOLLOW_UP)


def _owned(row: LeadRow, owner: str, at: datetime | None) -> None:
    _own(row, owner)
    row.pool, row.unassignable, row.assigned_at = None, False, at


def _attached(row: LeadRow, _: Recorded, __: e.AttachmentAdded) -> None:
    row.attachments += 1


def _paused(row: LeadRow, _: Recorded, event: e.LeadPaused) -> None:
    if not row.paused:
        row.paused, row.paused_since = True, event.occurred_at
    row.pause_reason, row.resume_at = event.reason, event.resume_at


def _resumed(row: LeadRow, _: Recorded, event: e.LeadResumed) -> None:
    if row.paused_since and event.occurred_at:
        row.paused_seconds += (event.occurred_at - row.paused_since).total_seconds()
    row.paused, row.paused_since, row.pause_reason, row.resume_at = False, None, None, None


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
    _apply(row, event.details, history=_historical(row))
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


def _cleared(row: LeadRow, _: Recorded, __: e.LabelCleared) -> None:
    row.label_overridden = False


def _shared(row: LeadRow, _: Recorded, event: e.LeadShared) -> None:
    if event.person not in row.shared_with:
        row.shared_with.append(event.person)


def _erased(row: LeadRow, recorded: Recorded, event: PersonalDataErased) -> None:
    """As if nothing personal had ever been said."""
    row.erased_at = row.erased_at or event.occurred_at or recorded.recorded_at
    row.pause_reason = None
    for name in DETAILS:
        setattr(row, name, None)
    lead_attributes.erase(row)


def _seen(row: LeadRow, recorded: Recorded) -> None:
    row.version = recorded.version
    row.position = recorded.position
    row.recorded_at = recorded.recorded_at
    lead_clocks.settle(row)


HANDLERS: Mapping[type[Event], Callable[[LeadRow, Recorded, Any], None]] = {
    e.LeadCaptured: _captured,
    e.InfoChanged: _info_changed,
    e.InfoMarkedIncomplete: _incomplete,
    e.InfoCompleted: _completed,
    e.LeadLabelled: _labelled,
    e.LabelOverridden: _labelled,
    e.LabelCleared: _cleared,
    e.DuplicateSuspected: _suspected,
    e.DuplicateDismissed: _dismissed,
    e.LeadsMerged: _merged,
    e.MergeUndone: _merge_undone,
    e.LeadScreened: _screened,
    e.LeadAssigned: _assigned,
    e.AssignmentFailed: _unassignable,
    e.LeadReassigned: _reassigned,
    e.LeadHandedOver: _reassigned,
    e.LeadTeamChanged: _team_changed,
    e.LeadReleasedToPool: _released,
    e.LeadClaimed: _claimed,
    e.StageChanged: _stage_changed,
    e.FollowUpRecorded: _follow_up,
    e.AttachmentAdded: _attached,
    e.LeadShared: _shared,
    e.LeadPaused: _paused,
    e.LeadResumed: _resumed,
    e.LeadInvalidated: _invalidated,
    e.LeadReopened: _reopened,
    e.LeadConverted: _converted,
    e.ConversionReversed: _reversed,
    PersonalDataErased: _erased,
    **lead_clocks.HANDLERS,
}

PROJECTION = Projection(
    name="leads",
    version=5,
    events=tuple(HANDLERS),
    tables=(LEADS,),
    fold=masked(
        dispatch(LEADS, LeadRow, HANDLERS, after=_seen),
        attributes=False,
        textless={e.FollowUpRecorded, e.StageChanged},
    ),
    views=lead_views.VIEWS,
    personal=True,
)
