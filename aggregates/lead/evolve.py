"""The lead as the fold of its events. `evolve` takes any stored history and never refuses."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from aggregates.event import Event
from aggregates.lead import effort, timers
from aggregates.lead import events as e
from aggregates.lead import privacy_events as p
from aggregates.lead import time_events as t
from aggregates.lead.state import (
    WON,
    Conversion,
    Lateness,
    Lead,
    Pause,
    Suspicion,
    counted,
    earliest,
    replace,
    with_details,
)
from aggregates.personal import DETAILS, personal_attributes, without_personal
from aggregates.values import latest


def _unchanged(lead: Lead, _: Event) -> Lead:
    return replace(lead)


def _captured(lead: Lead, event: e.LeadCaptured) -> Lead:
    typed = lead.typed | personal_attributes(event)
    if lead.captured:  # said twice: the first one dates the lead, new values still count
        return with_details(lead, event.details, typed=typed)
    return with_details(
        lead,
        event.details,
        typed=typed,
        captured=True,
        entered_by=event.entered_by,
        captured_at=event.occurred_at,
        code=event.code,
        external_id=event.external_id,
        source_system=event.source_system,
    )


def _info_changed(lead: Lead, event: e.InfoChanged) -> Lead:
    return with_details(lead, event.details, typed=lead.typed | personal_attributes(event))


def _incomplete(lead: Lead, event: e.InfoMarkedIncomplete) -> Lead:
    return replace(lead, missing=event.missing)


def _completed(lead: Lead, _: e.InfoCompleted) -> Lead:
    return replace(lead, missing=(), timers=timers.without(lead.timers, timers.COMPLETE_INFO))


def _labelled(lead: Lead, event: e.LeadLabelled) -> Lead:
    label = {"level": event.level, "segment": event.segment}
    return with_details(lead, label, labelled_by=event.rule, label_policy=event.policy)


def _overridden(lead: Lead, event: e.LabelOverridden) -> Lead:
    label = {"level": event.level, "segment": event.segment}
    return with_details(lead, label, labelled_by=None, label_policy=None, label_overridden=True)


def _cleared(lead: Lead, _: e.LabelCleared) -> Lead:
    return replace(lead, label_overridden=False)


def _suspected(lead: Lead, event: e.DuplicateSuspected) -> Lead:
    known = lead.suspects.get(event.other, Suspicion(certain=False, by=()))
    by = tuple(dict.fromkeys((*known.by, *event.by)))
    suspicion = Suspicion(known.certain or event.certain, by, lead.version + 1)
    return replace(lead, suspects={**lead.suspects, event.other: suspicion})


def _dismissed(lead: Lead, event: e.DuplicateDismissed) -> Lead:
    suspects = {k: v for k, v in lead.suspects.items() if k != event.other}
    dismissed = {event.other: event.suspected_at} if event.suspected_at else {}
    return replace(lead, suspects=suspects, dismissed={**lead.dismissed, **dismissed})


def _merged(lead: Lead, event: e.LeadsMerged) -> Lead:
    return replace(lead, merged_into=event.into, timers=timers.NONE)


def _merge_undone(lead: Lead, _: e.MergeUndone) -> Lead:
    return replace(lead, merged_into=None)


def _screened(lead: Lead, event: e.LeadScreened) -> Lead:
    return replace(lead, screened=event.accepted)


def _assigned(lead: Lead, event: e.LeadAssigned) -> Lead:
    named = {"owner": event.owner, "team": event.team}
    after = with_details(lead, {**event.details, **{k: v for k, v in named.items() if v}})
    return _owned(after, event.occurred_at, event.explanation)


def _assignment_failed(lead: Lead, event: e.AssignmentFailed) -> Lead:
    return replace(lead, explanation=event.explanation)


def _reassigned(lead: Lead, event: e.LeadReassigned | e.LeadHandedOver) -> Lead:
    after = with_details(lead, {"owner": event.owner, "team": event.team})
    return _owned(after, event.occurred_at, event.explanation)


def _team_changed(lead: Lead, event: e.LeadTeamChanged) -> Lead:
    return with_details(lead, {"team": event.team})


def _released(lead: Lead, event: e.LeadReleasedToPool) -> Lead:
    after = with_details(lead, {"owner": None, "team": None})
    return replace(
        after,
        pool=event.pool,
        assigned_at=None,
        in_hand_since=None,
        timers=timers.without(lead.timers, *timers.OF_THE_OWNER),
        explanation=event.explanation,
    )


def _claimed(lead: Lead, event: e.LeadClaimed) -> Lead:
    after = with_details(lead, {"owner": event.owner, "team": event.team})
    return replace(_owned(after, event.occurred_at, {}), claimed_from=event.pool)


def _owned(lead: Lead, at: datetime | None, explanation: Mapping[str, Any]) -> Lead:
    """A lead with an owner is in no pool."""
    return replace(
        lead,
        pool=None,
        claimed_from=None,
        assigned_at=at,
        in_hand_since=lead.in_hand_since or at,
        explanation=explanation,
    )


def _attached(lead: Lead, event: e.AttachmentAdded) -> Lead:
    return replace(lead, attachments={**lead.attachments, event.attachment: event})


def _shared(lead: Lead, event: e.LeadShared) -> Lead:
    return replace(lead, shared_with=lead.shared_with | {event.person})


def _paused(lead: Lead, event: e.LeadPaused) -> Lead:
    """A pause that is changed goes on."""
    since = lead.pause.since if lead.pause else event.occurred_at
    return replace(lead, pause=Pause(since, event.reason, event.resume_at))


def _resumed(lead: Lead, event: e.LeadResumed) -> Lead:
    since = lead.pause.since if lead.pause else None
    seconds = (event.occurred_at - since).total_seconds() if since and event.occurred_at else 0.0
    return replace(lead, pause=None, paused_seconds=lead.paused_seconds + seconds)


def _stage_changed(lead: Lead, event: e.StageChanged) -> Lead:
    since = latest(lead.stage_since, event.occurred_at)
    wins = event.stage == WON and lead.stage != WON
    won_from = lead.stage if wins else lead.won_from
    return replace(
        lead,
        stage=event.stage,
        stage_since=since,
        won_from=won_from,
        entries=(*lead.entries, (event.stage, event.occurred_at)),
    )


def _follow_up(lead: Lead, event: e.FollowUpRecorded) -> Lead:
    attempt = earliest(lead.first_attempt_at, event.occurred_at)
    response = earliest(lead.first_response_at, event.occurred_at)
    return replace(
        lead,
        follow_ups=lead.follow_ups + 1,
        first_attempt_at=attempt,
        first_response_at=response if event.connected else lead.first_response_at,
        # Somebody is there after all: the clean-up looks at the lead anew.
        proposed_for=None if event.connected else lead.proposed_for,
    )


def _invalidated(lead: Lead, event: e.LeadInvalidated) -> Lead:
    return replace(
        lead,
        invalidated=True,
        invalid_reason=event.reason,
        timers=timers.NONE,
        proposed_for=None,
    )


def _reopened(lead: Lead, _: e.LeadReopened) -> Lead:
    return replace(lead, invalidated=False, invalid_reason=None)


def _converted(lead: Lead, event: e.LeadConverted) -> Lead:
    after = with_details(lead, event.details)
    return replace(
        after,
        conversion=Conversion(event.occurred_at, event.basis, after.owner),
        amount=lead.amount if event.amount is None else event.amount,
        timers=timers.NONE,
        proposed_for=None,
    )


def _reversed(lead: Lead, _: e.ConversionReversed) -> Lead:
    return replace(lead, conversion=None, amount=None)


def _timed(lead: Lead, event: Event) -> Lead:
    return replace(lead, timers=timers.turned(lead.timers, event))


def _breached(lead: Lead, event: t.FirstResponseBreached) -> Lead:
    """Every owner who is late has a reason of their own."""
    return replace(_timed(lead, event), lateness=Lateness())


def _escalated(lead: Lead, event: t.EscalatedToSupervisor) -> Lead:
    return replace(_timed(lead, event), escalated=True, lateness=lead.lateness or Lateness())


def _explained(lead: Lead, event: t.LateReasonRecorded) -> Lead:
    return replace(_timed(lead, event), lateness=Lateness(event.reason, event.note))


def _proposed(lead: Lead, event: t.LeadInvalidationProposed) -> Lead:
    return replace(lead, proposed_for=event.reason)


def _dismissed_proposal(lead: Lead, _: t.InvalidationDismissed) -> Lead:
    return replace(lead, proposed_for=None)


def _erased(lead: Lead, event: p.PersonalDataErased) -> Lead:
    """No clock runs on for a lead that nobody can reach any more."""
    return replace(
        lead,
        erased_at=lead.erased_at or event.occurred_at,
        profile={name: v for name, v in lead.profile.items() if name not in DETAILS},
        attributes={name: v for name, v in lead.attributes.items() if name not in lead.typed},
        typed=frozenset(),
        pause=lead.pause and Pause(lead.pause.since, None, lead.pause.resume_at),
        lateness=lead.lateness and Lateness(lead.lateness.reason),
        attachments={k: without_personal(file) for k, file in lead.attachments.items()},
        timers=timers.NONE,
        proposed_for=None,
    )


_EVOLVE: dict[type[Event], Callable[[Lead, Any], Lead]] = {
    e.LeadCaptured: _captured,
    e.InfoChanged: _info_changed,
    e.InfoMarkedIncomplete: _incomplete,
    e.InfoCompleted: _completed,
    e.LeadLabelled: _labelled,
    e.LabelOverridden: _overridden,
    e.LabelCleared: _cleared,
    e.DuplicateSuspected: _suspected,
    e.DuplicateDismissed: _dismissed,
    e.LeadsMerged: _merged,
    e.MergeUndone: _merge_undone,
    e.LeadScreened: _screened,
    e.LeadAssigned: _assigned,
    e.AssignmentFailed: _assignment_failed,
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
    **dict.fromkeys(t.EVENTS, _timed),
    t.FirstResponseBreached: _breached,
    t.EscalatedToSupervisor: _escalated,
    t.LateReasonRecorded: _explained,
    t.LeadInvalidationProposed: _proposed,
    t.InvalidationDismissed: _dismissed_proposal,
    p.PersonalDataErased: _erased,
}


def evolve(lead: Lead, event: Event) -> Lead:
    """The lead after one more event. An event this program does not know only counts."""
    after = _EVOLVE.get(type(event), _unchanged)(lead, event)
    assert after is not lead
    return counted(after, effort.turned(lead.effort, event))


def fold(lead: Lead, events: Iterable[Event]) -> Lead:
    """The lead after all of `events`, in order."""
    for event in events:
        lead = evolve(lead, event)
    return lead
