"""What can happen to a lead.

Money is a Decimal in the company currency. `details` holds changed values by name: a name of
`PROFILE` changes that field of the lead, any other name is an attribute of the lead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from aggregates.event import Event, Personal, PolicyRef

PROFILE = (
    "source", "industry", "region", "customer_type", "campaign", "customer", "contact",
    "contact_title", "phone", "email", "need", "owner", "team", "level", "segment",
)  # fmt: skip
"""The lead's own fields; every other name in `details` is an attribute (requirements A2)."""

Details = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LeadCaptured(Event):
    """A lead entered the company (R1, R15; table 1). `occurred_at` is its capture time.

    `entered_by` is the person who entered it, if one did (A8). A lead with a `source_system` is
    from that system's history, unless `by_command` says that a command entered it: attributes that
    people type are personal, those of a history are what reports group by.
    """

    topic: ClassVar[str] = "lead.captured"

    code: str
    details: Details = field(default_factory=dict)
    external_id: str | None = None
    source_system: str | None = None
    entered_by: str | None = None
    by_command: bool | None = None


@dataclass(frozen=True, kw_only=True)
class LeadAssigned(Event):
    """The lead got its first owner, or an imported fact named one (R7, R31).

    `explanation` is why a rule chose them: aggregates/lead/choice.py says what stands in it.
    """

    topic: ClassVar[str] = "lead.assigned"

    owner: str | None = None
    team: str | None = None
    reason: Personal | None = None
    explanation: Details = field(default_factory=dict)
    details: Details = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AssignmentFailed(Event):
    """No rule and no default found anybody: a person has to decide (R8).

    `supervisors` are told: those of the lead's team, else the administrators.
    """

    topic: ClassVar[str] = "lead.assignment-failed"

    reason: str
    explanation: Details = field(default_factory=dict)
    supervisors: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class LeadReassigned(Event):
    """The lead went from one owner to another (A31)."""

    topic: ClassVar[str] = "lead.reassigned"

    owner: str
    team: str | None = None
    previous_owner: str
    reason: Personal | None = None
    explanation: Details = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LeadHandedOver(Event):
    """The owner passed the lead on, or left and it was passed on for them (R102)."""

    topic: ClassVar[str] = "lead.handed-over"

    owner: str
    team: str | None = None
    previous_owner: str
    reason: Personal | None = None
    explanation: Details = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LeadTeamChanged(Event):
    """The owner stays, the team that the lead belongs to is another one."""

    topic: ClassVar[str] = "lead.team-changed"

    team: str | None = None
    previous_team: str | None = None


@dataclass(frozen=True, kw_only=True)
class LeadReleasedToPool(Event):
    """The lead has no owner until somebody whom the pool is open to claims it (A32)."""

    topic: ClassVar[str] = "lead.released-to-pool"

    pool: str
    previous_owner: str | None = None
    reason: Personal | None = None
    explanation: Details = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LeadClaimed(Event):
    """Somebody took the lead out of its pool and owns it now."""

    topic: ClassVar[str] = "lead.claimed"

    owner: str
    team: str | None = None
    pool: str


@dataclass(frozen=True, kw_only=True)
class LeadLabelled(Event):
    """A rule gave the first label: level and segment (R23, R24, A5). `rule` None = none matched."""

    topic: ClassVar[str] = "lead.labelled"

    level: str
    segment: str | None = None
    rule: str | None = None
    policy: PolicyRef | None = None


@dataclass(frozen=True, kw_only=True)
class LabelOverridden(Event):
    """A person set the label; rules leave it alone until it is cleared (R25, A6)."""

    topic: ClassVar[str] = "lead.label-overridden"

    level: str
    segment: str | None = None
    reason: Personal | None = None


@dataclass(frozen=True, kw_only=True)
class LabelCleared(Event):
    """The label set by hand no longer stands; the rules' label follows in the same commit (A6)."""

    topic: ClassVar[str] = "lead.label-cleared"

    reason: Personal | None = None


@dataclass(frozen=True, kw_only=True)
class InfoChanged(Event):
    """Values were added or corrected; None in `details` takes one away (R30)."""

    topic: ClassVar[str] = "lead.info-changed"

    details: Details = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class InfoMarkedIncomplete(Event):
    """The lead is 待补充: `missing` names the fields (R26, R27, A7)."""

    topic: ClassVar[str] = "lead.info-marked-incomplete"

    missing: tuple[str, ...]
    policy: PolicyRef | None = None


@dataclass(frozen=True, kw_only=True)
class InfoCompleted(Event):
    """Nothing is missing any more (R28)."""

    topic: ClassVar[str] = "lead.info-completed"

    policy: PolicyRef | None = None


@dataclass(frozen=True, kw_only=True)
class DuplicateSuspected(Event):
    """Another lead has the same phone or e-mail (certain) or company name (possible) (R2, A1).

    `by` names what is equal: phone, email, customer.
    """

    topic: ClassVar[str] = "lead.duplicate-suspected"

    other: UUID
    certain: bool
    by: tuple[str, ...]
    policy: PolicyRef | None = None


@dataclass(frozen=True, kw_only=True)
class DuplicateDismissed(Event):
    """A person decided that the other lead is another one (A1).

    `suspected_at`: where it was the other lead that suspected this one, its version when it did.
    """

    topic: ClassVar[str] = "lead.duplicate-dismissed"

    other: UUID
    reason: Personal | None = None
    suspected_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class LeadsMerged(Event):
    """This lead is a duplicate of `into`, where its figures count from now on (A1).

    `into_code` is that lead's code.
    """

    topic: ClassVar[str] = "lead.merged"

    into: UUID
    reason: Personal | None = None
    into_code: str | None = None


@dataclass(frozen=True, kw_only=True)
class MergeUndone(Event):
    """The merge was a mistake: everything is as if it had not been."""

    topic: ClassVar[str] = "lead.merge-undone"

    into: UUID
    reason: Personal | None = None


@dataclass(frozen=True, kw_only=True)
class LeadScreened(Event):
    """Marketing accepted the lead for sales, or rejected it (R118, A28)."""

    topic: ClassVar[str] = "lead.screened"

    accepted: bool
    reason: str | None = None
    note: Personal | None = None


@dataclass(frozen=True, kw_only=True)
class LeadPaused(Event):
    """暂缓: no clock runs until the lead is resumed (R107, R108, A26)."""

    topic: ClassVar[str] = "lead.paused"

    reason: Personal | None = None
    resume_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class LeadResumed(Event):
    """The clocks run again, with what was left of them (A26); `by_clock`: at the time that was set
    when the lead was paused.
    """

    topic: ClassVar[str] = "lead.resumed"

    reason: Personal | None = None
    by_clock: bool | None = None


@dataclass(frozen=True, kw_only=True)
class AttachmentAdded(Event):
    """A file belongs to the lead, or to one of its follow-ups (R54, R55).

    `size` in bytes, `sha256` of the content in hex, `follow_up` a follow-up code.
    """

    topic: ClassVar[str] = "lead.attachment-added"

    attachment: UUID
    name: Personal | None = None
    content_type: str
    size: int
    sha256: str
    follow_up: str | None = None
    warning: Personal | None = None


@dataclass(frozen=True, kw_only=True)
class LeadShared(Event):
    """A person may see the lead though it is not in their scope (R56, A17)."""

    topic: ClassVar[str] = "lead.shared"

    person: str
    reason: Personal | None = None


@dataclass(frozen=True, kw_only=True)
class StageChanged(Event):
    """The lead entered a stage (R52, A15). Foreign stage names are kept as written."""

    topic: ClassVar[str] = "lead.stage-changed"

    stage: str
    previous: str | None = None
    reason: Personal | None = None


@dataclass(frozen=True, kw_only=True)
class FollowUpRecorded(Event):
    """Somebody tried to reach the customer (R46-R51; table 2).

    `occurred_at` is the time of the contact, not of recording (R84). Only a `connected` one is
    a response to the customer (A12). `next_step_due` is a local date, due at its end (A14).
    `stage` is the status that the record set (R90). `quality` is what the policy found (A18).
    """

    topic: ClassVar[str] = "lead.follow-up-recorded"

    code: str
    connected: bool
    outcome: str | None = None
    by: str | None = None
    method: str | None = None
    content: Personal | None = None
    feedback: Personal | None = None
    next_step: Personal | None = None
    next_step_due: date | None = None
    stage: str | None = None
    quality: Details = field(default_factory=dict)
    details: Details = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LeadInvalidated(Event):
    """The lead is of no use: wrong contact details, explicit refusal, lost (R101, A25)."""

    topic: ClassVar[str] = "lead.invalidated"

    reason: str | None = None
    note: Personal | None = None


@dataclass(frozen=True, kw_only=True)
class LeadReopened(Event):
    """An invalid lead is worked on again (A25)."""

    topic: ClassVar[str] = "lead.reopened"

    reason: Personal | None = None


@dataclass(frozen=True, kw_only=True)
class LeadConverted(Event):
    """The contract was signed or the first order done (R59-R62, A19)."""

    topic: ClassVar[str] = "lead.converted"

    amount: Decimal | None = None
    basis: str | None = None
    details: Details = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ConversionReversed(Event):
    """The conversion does not stand: entered wrongly or the contract was withdrawn."""

    topic: ClassVar[str] = "lead.conversion-reversed"

    reason: Personal | None = None


EVENTS: tuple[type[Event], ...] = (
    LeadCaptured, InfoChanged, InfoMarkedIncomplete, InfoCompleted,
    LeadLabelled, LabelOverridden, LabelCleared,
    DuplicateSuspected, DuplicateDismissed, LeadsMerged, MergeUndone,
    LeadScreened, LeadAssigned, AssignmentFailed, LeadReassigned, LeadHandedOver,
    LeadTeamChanged, LeadReleasedToPool, LeadClaimed,
    StageChanged, FollowUpRecorded, AttachmentAdded, LeadShared, LeadPaused, LeadResumed,
    LeadInvalidated, LeadReopened, LeadConverted, ConversionReversed,
)  # fmt: skip
