"""What a lead is at a time. Four axes, kept apart (A15):

stage (text, the company's pipeline or a foreign name), completeness, activity, disposition.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from aggregates.event import PolicyRef
from aggregates.lead import events as e
from aggregates.lead.effort import NONE as NO_EFFORT
from aggregates.lead.effort import Effort
from aggregates.lead.timers import Timers

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
    reason: str | None
    resume_at: datetime | None


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Why another lead may be the same one: `by` names what is equal (A1). `at`: the version of the
    lead that last suspected it.
    """

    certain: bool
    by: tuple[str, ...]
    at: int = 0


@dataclass(frozen=True, slots=True)
class Lateness:
    """A first follow-up was late: the reason that was given last, if one was (R42)."""

    reason: str | None = None
    note: str | None = None


# Not slotted: `replace` copies its dictionary.
@dataclass(frozen=True)
class Lead:
    """A lead's current state. `version` counts its events; 0 = nothing is known of it.

    `typed`: the attributes that are personal, by name. `suspects`: possible duplicates by lead.
    `dismissed`: leads whose suspicion of this one was answered here, and its `at`. `labelled_by`:
    the rule behind the label, of this version of the policy. `stage_since`: the latest known entry
    into a stage. `won_from`: the stage before 成交. `entries`: all stages entered, and when.
    `explanation`: why the last assignment by rule came out as it did. `claimed_from`: the pool that
    the owner claimed it from. `paused_seconds`: the pauses that are over. `in_hand_since`: when it
    got an owner after it had none, and `escalated` whether its supervisor was told, which is once.
    `lateness`: None = no first follow-up of it was late. `proposed_for`: the reason for which the
    clean-up proposes to give it up, until the customer is reached. `erased_at`: since when its
    personal data is gone.
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
    typed: frozenset[str] = frozenset()
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
    timers: Timers = field(default_factory=dict)
    in_hand_since: datetime | None = None
    escalated: bool = False
    lateness: Lateness | None = None
    proposed_for: str | None = None
    effort: Effort = NO_EFFORT
    attachments: Mapping[UUID, e.AttachmentAdded] = field(default_factory=dict)
    shared_with: frozenset[str] = frozenset()
    follow_ups: int = 0
    first_attempt_at: datetime | None = None
    first_response_at: datetime | None = None
    conversion: Conversion | None = None
    amount: Decimal | None = None
    invalidated: bool = False
    invalid_reason: str | None = None
    erased_at: datetime | None = None

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

    @property
    def unfinished(self) -> bool:
        """Whether anybody can still do something about it."""
        return self.disposition is Disposition.OPEN and not self.erased_at


def earliest(a: datetime | None, b: datetime | None) -> datetime | None:
    """The earlier of two instants; an unknown one does not count."""
    return min(a, b) if a and b else a or b


def replace(lead: Lead, **changes: Any) -> Lead:
    """The lead with other values in these fields; dataclasses.replace takes eight times as long,
    which is most of the time that folding a lead takes.
    """
    after = object.__new__(Lead)
    after.__dict__.update(lead.__dict__)
    after.__dict__.update(changes)
    return after


def counted(fresh: Lead, effort: Effort) -> Lead:
    """A copy that nobody else has yet, with one more event and this effort: changed in place,
    because a second copy would double what an event costs.
    """
    fresh.__dict__.update(version=fresh.version + 1, effort=effort)
    return fresh


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
