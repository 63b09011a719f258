"""The lead as the fold of its events. Four axes, kept apart (A15):

stage (text, the company's pipeline or a foreign name), completeness, activity, disposition.
`evolve` takes any history that was stored and never refuses.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from aggregates.event import Event, PolicyRef
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
class Pause:
    """The pause that holds the clocks: since when, why, until when (None = until resumed)."""

    since: datetime | None
    reason: str
    resume_at: datetime | None


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Why another lead may be the same one: `by` names what is equal (A1). `at`: the version of the
    lead that last suspected it.
    """

    certain: bool
    by: tuple[str, ...]
    at: int = 0


# Not slotted: `replace` copies its dictionary.
@dataclass(frozen=True)
class Lead:
    """A lead's current state. `version` counts its events; 0 = nothing is known of it.

    `suspects`: possible duplicates by lead. `dismissed`: leads whose suspicion of this one was
    answered here, and its `at`. `labelled_by`: the rule behind the label, of this version of the
    policy. `stage_since`: the latest known entry into a stage. `won_from`: the
    stage before 成交. `entries`: all stages entered, and when. `explanation`: why the last
    assignment by rule came out as it did. `claimed_from`: the pool that the owner claimed it from.
    `paused_seconds`: the pauses that are over.
    """

    id: UUID
    version: int = 0
    code: str | None = None
    external_id: str | None = None
    source_system: str | None = None
    captured: bool = False
    entered_by: str | None = None
    captured_at: datetime | None = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    stage: str | None = None
    stage_since: datetime | None = None
    won_from: str | None = None
    entries: tuple[tuple[str, datetime | None], ...] = ()
    missing: tuple[str, ...] = ()
    labelled_by: str | None = None
    label_policy: PolicyRef | None = None
    label_overridden: bool = False
    suspects: Mapping[UUID, Suspicion] = field(default_factory=dict)
    dismissed: Mapping[UUID, int] = field(default_factory=dict)
    merged_into: UUID | None = None
    screened: bool | None = None
    pool: str | None = None
    claimed_from: str | None = None
    assigned_at: datetime | None = None
    explanation: Mapping[str, Any] = field(default_factory=dict)
    pause: Pause | None = None
    paused_seconds: float = 0.0
    attachments: Mapping[UUID, e.AttachmentAdded] = field(default_factory=dict)
    shared_with: frozenset[str] = frozenset()
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
    def completeness(self) -> Completeness:
        """待补充 while information is missing (R26, A7)."""
        return Completeness.INCOMPLETE if self.missing else Completeness.COMPLETE

    @property
    def activity(self) -> Activity:
        """暂缓 while paused (R107)."""
        return Activity.PAUSED if self.pause else Activity.ACTIVE

    @property
    def disposition(self) -> Disposition:
        """A loss after a conversion leaves the lead converted (interface.md section 4)."""
        if self.merged_into:
            return Disposition.MERGED
        if self.conversion:
            return Disposition.CONVERTED
        return Disposition.INVALID if self.invalidated else Disposition.OPEN


def earliest(a: datetime | None, b: datetime | None) -> datetime | None:
    """The earlier of two instants; an unknown one does not count."""
    return min(a, b) if a and b else a or b


def latest(a: datetime | None, b: datetime | None) -> datetime | None:
    """The later of two instants; an unknown one does not count."""
    return max(a, b) if a and b else a or b


def replace(lead: Lead, **changes: Any) -> Lead:
    """The lead with other values in these fields; dataclasses.replace takes eight times as long,
    which is most of the time that folding a lead takes.
    """
    after = object.__new__(Lead)
    after.__dict__.update(lead.__dict__)
    after.__dict__.update(changes)
    return after


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
        entered_by=event.entered_by,
        captured_at=event.occurred_at,
        code=event.code,
        external_id=event.external_id,
        source_system=event.source_system,
    )


def _info_changed(lead: Lead, event: e.InfoChanged) -> Lead:
    return with_details(lead, event.details)


def _incomplete(lead: Lead, event: e.InfoMarkedIncomplete) -> Lead:
    return replace(lead, missing=event.missing)


def _completed(lead: Lead, _: e.InfoCompleted) -> Lead:
    return replace(lead, missing=())


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
    return replace(lead, merged_into=event.into)


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
    return replace(after, pool=event.pool, assigned_at=None, explanation=event.explanation)


def _claimed(lead: Lead, event: e.LeadClaimed) -> Lead:
    after = with_details(lead, {"owner": event.owner, "team": event.team})
    return replace(_owned(after, event.occurred_at, {}), claimed_from=event.pool)


def _owned(lead: Lead, at: datetime | None, explanation: Mapping[str, Any]) -> Lead:
    """A lead with an owner is in no pool."""
    return replace(lead, pool=None, claimed_from=None, assigned_at=at, explanation=explanation)


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
