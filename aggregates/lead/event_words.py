"""Sentences about what people and rules do with a lead (aggregates/lead/events.py)."""

from collections.abc import Mapping
from typing import Any

from aggregates.event import Event
from aggregates.lead import events as e
from aggregates.lead.wording import (
    Scene,
    Sentence,
    another,
    because,
    kept,
    listed,
    optional,
    quoted,
)


def _captured(event: e.LeadCaptured, scene: Scene) -> str:
    given = event.details.get
    from_system = f" ({event.external_id or 'a lead'} of {event.source_system})"
    return (
        f"{scene.who} entered the lead {event.code}"
        + (from_system if event.source_system else "")
        + (f" of {event.entered_by}" if another(event.entered_by, scene) else "")
        + optional(": ", given("customer"))
        + optional(", from ", given("source"))
        + optional(", for ", given("owner"))
    )


def _info_changed(event: e.InfoChanged, scene: Scene) -> str:
    added = [f"{name} {quoted(v)}" for name, v in event.details.items() if v is not None]
    gone = [name for name, value in event.details.items() if value is None]
    parts = [f"set {', '.join(added)}"] if added else []
    parts += [f"took away {', '.join(gone)}"] if gone else []
    return f"{scene.who} {' and '.join(parts) or 'changed no information'}"


def _incomplete(event: e.InfoMarkedIncomplete, _: Scene) -> str:
    return f"The lead was found incomplete (待补充): {listed(event.missing)} missing"


def _completed(_event: e.InfoCompleted, _: Scene) -> str:
    return "The information is complete: nothing is missing any more"


def _labelled(event: e.LeadLabelled, _: Scene) -> str:
    by = f"the rule {quoted(event.rule)}" if event.rule else "the rules, of which none matched,"
    return f"{by[0].upper()}{by[1:]} labelled the lead {_label(event)}"


def _overridden(event: e.LabelOverridden, scene: Scene) -> str:
    return f"{scene.who} labelled the lead {_label(event)} by hand{because(event.reason)}"


def _cleared(event: e.LabelCleared, scene: Scene) -> str:
    return f"{scene.who} took back the label set by hand{because(event.reason)}"


def _label(event: e.LeadLabelled | e.LabelOverridden) -> str:
    return f"level {quoted(event.level)}{optional(', segment ', event.segment)}"


def _suspected(event: e.DuplicateSuspected, scene: Scene) -> str:
    verb = "is certainly" if event.certain else "may be"
    return f"The lead {verb} the same as {scene.lead(event.other)}: equal {listed(event.by)}"


def _dismissed(event: e.DuplicateDismissed, scene: Scene) -> str:
    return f"{scene.who} decided that {scene.lead(event.other)} is another one" + because(
        event.reason
    )


def _merged(event: e.LeadsMerged, scene: Scene) -> str:
    return f"{scene.who} merged the lead into {scene.lead(event.into)}{because(event.reason)}"


def _merge_undone(event: e.MergeUndone, scene: Scene) -> str:
    return f"{scene.who} took it out of {scene.lead(event.into)} again{because(event.reason)}"


def _screened(event: e.LeadScreened, scene: Scene) -> str:
    verdict = "accepted the lead for sales" if event.accepted else "rejected the lead"
    return f"{scene.who} {verdict}{because(event.reason, event.note)}"


def _assigned(event: e.LeadAssigned, scene: Scene) -> str:
    if not event.owner:  # an imported fact may name a team alone
        team = optional(" to team ", event.team)
        return f"{scene.who} assigned the lead{team} without an owner{_why(event)}"
    return f"{scene.who} assigned the lead to {_owner(event)}{_why(event)}"


def _assignment_failed(event: e.AssignmentFailed, _: Scene) -> str:
    told = f"; {listed(event.supervisors)} told" if event.supervisors else ""
    return f"The rules found nobody to give the lead to: {kept(event.reason)}{told}"


def _reassigned(event: e.LeadReassigned, scene: Scene) -> str:
    return f"{scene.who} took the lead from {event.previous_owner} and gave it to " + (
        f"{_owner(event)}{_why(event)}"
    )


def _handed_over(event: e.LeadHandedOver, scene: Scene) -> str:
    return f"{scene.who} handed the lead over from {event.previous_owner} to " + (
        f"{_owner(event)}{_why(event)}"
    )


def _owner(event: e.LeadAssigned | e.LeadReassigned | e.LeadHandedOver | e.LeadClaimed) -> str:
    return f"{quoted(event.owner)}{optional(' in team ', event.team)}"


def _why(event: Any) -> str:
    """The reason that was given, and what the rules went by."""
    why = event.explanation
    chosen = f" by rule {quoted(why['rule'])}" if why.get("rule") else ""
    chosen = chosen or (" by the rules' default" if why.get("by_default") else "")
    if isinstance(candidates := why.get("candidates"), list | tuple) and chosen:
        more = why.get("more_candidates", 0)
        number = len(candidates) + (more if isinstance(more, int) else 0)
        chosen += f", of {number} candidate{'s' * (number != 1)}"
    return f"{chosen}{because(event.reason)}"


def _team_changed(event: e.LeadTeamChanged, scene: Scene) -> str:
    before, after = quoted(event.previous_team), quoted(event.team)
    return f"{scene.who} moved the lead with its owner from team {before} to team {after}"


def _released(event: e.LeadReleasedToPool, scene: Scene) -> str:
    before = optional(" from ", event.previous_owner)
    return f"{scene.who} put the lead{before} into the pool {quoted(event.pool)}{_why(event)}"


def _claimed(event: e.LeadClaimed, _: Scene) -> str:
    return f"{_owner(event)} claimed the lead out of the pool {quoted(event.pool)}"


def _stage_changed(event: e.StageChanged, scene: Scene) -> str:
    verb = "moved the" if scene.stage else "put the lead into the"
    return f"{scene.who} {verb} {_stage(event, scene)}{because(event.reason)}"


def _stage(event: e.StageChanged | e.FollowUpRecorded, scene: Scene) -> str:
    before = f"{quoted(scene.stage)} -> " if scene.stage else ""
    return f"stage {before}{quoted(event.stage)}"


def _followed_up(event: e.FollowUpRecorded, scene: Scene) -> str:
    quality = event.quality
    parts = [
        "connected" if event.connected else "not connected",
        *([f"outcome {quoted(event.outcome)}"] if event.outcome not in (None, "connected") else []),
    ]
    moved = f"; {_stage(event, scene)}" if event.stage else ""
    return (
        f"{scene.who} recorded a follow-up{optional(' by ', event.method)}"
        + (f" of {event.by}" if another(event.by, scene) else "")
        + f": {', '.join(parts)}{moved}"
        + optional("; next step ", event.next_step)
        + optional("; next step due ", event.next_step_due and event.next_step_due.isoformat())
        + ("; found vague" if quality.get("verdict") == "vague" else "")
        + ("; recorded late" if quality.get("late") is True else "")
    )


def _attached(event: e.AttachmentAdded, scene: Scene) -> str:
    where = optional(" to follow-up ", event.follow_up)
    file = f"{kept(event.name)} ({event.content_type}, {event.size} bytes)"
    return f"{scene.who} attached the file {file}{where}{optional('; warned: ', event.warning)}"


def _shared(event: e.LeadShared, scene: Scene) -> str:
    return f"{scene.who} let {event.person} see the lead{because(event.reason)}"


def _paused(event: e.LeadPaused, scene: Scene) -> str:
    until = f" until {scene.at(event.resume_at)}" if event.resume_at else ""
    return f"{scene.who} paused the lead (暂缓){until}: {kept(event.reason)}; no clock runs"


def _resumed(event: e.LeadResumed, scene: Scene) -> str:
    why = ", for the time to resume had come" if event.by_clock else because(event.reason)
    return f"{scene.who} ended the pause{why}; the clocks run on"


def _invalidated(event: e.LeadInvalidated, scene: Scene) -> str:
    return f"{scene.who} gave the lead up{because(event.reason, event.note)}"


def _reopened(event: e.LeadReopened, scene: Scene) -> str:
    return f"{scene.who} took the lead up again{because(event.reason)}"


def _converted(event: e.LeadConverted, scene: Scene) -> str:
    amount = "" if event.amount is None else f" for {event.amount:.2f}"
    return (
        f"{scene.who} recorded the conversion{amount}{optional(', on the basis of ', event.basis)}"
    )


def _reversed(event: e.ConversionReversed, scene: Scene) -> str:
    return f"{scene.who} took the conversion back: {kept(event.reason)}"


SENTENCES: Mapping[type[Event], Sentence] = {
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
    e.LeadHandedOver: _handed_over,
    e.LeadTeamChanged: _team_changed,
    e.LeadReleasedToPool: _released,
    e.LeadClaimed: _claimed,
    e.StageChanged: _stage_changed,
    e.FollowUpRecorded: _followed_up,
    e.AttachmentAdded: _attached,
    e.LeadShared: _shared,
    e.LeadPaused: _paused,
    e.LeadResumed: _resumed,
    e.LeadInvalidated: _invalidated,
    e.LeadReopened: _reopened,
    e.LeadConverted: _converted,
    e.ConversionReversed: _reversed,
}
