"""What can happen to a lead.

Money is a Decimal in the company currency. `details` holds changed values by name: a name of
`PROFILE` changes that field of the lead, any other name is an attribute of the lead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from aggregates.event import Event

PROFILE = (
    "source", "industry", "region", "customer_type", "campaign", "customer", "contact",
    "contact_title", "phone", "email", "need", "owner", "team", "level", "segment",
)  # fmt: skip
"""The lead's own fields; every other name in `details` is an attribute (requirements A2)."""

Details = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class LeadCaptured(Event):
    """A lead entered the company (R1, R15; table 1). `occurred_at` is its capture time."""

    topic: ClassVar[str] = "lead.captured"

    code: str
    details: Details = field(default_factory=dict)
    external_id: str | None = None
    source_system: str | None = None


@dataclass(frozen=True, kw_only=True)
class LeadAssigned(Event):
    """The lead got its first owner, or an imported fact named one (R7, R31)."""

    topic: ClassVar[str] = "lead.assigned"

    owner: str | None = None
    team: str | None = None
    details: Details = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LeadReassigned(Event):
    """The lead went from one owner to another (A31)."""

    topic: ClassVar[str] = "lead.reassigned"

    owner: str
    team: str | None = None
    previous_owner: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class StageChanged(Event):
    """The lead entered a stage (R52, A15). Foreign stage names are kept as written."""

    topic: ClassVar[str] = "lead.stage-changed"

    stage: str
    previous: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class FollowUpRecorded(Event):
    """Somebody tried to reach the customer (R46-R51; table 2).

    `occurred_at` is the time of the contact, not of recording (R84). Only a `connected` one is
    a response to the customer (A12). `next_step_due` is a local date, due at its end (A14).
    `stage` is the status that the record set (R90).
    """

    topic: ClassVar[str] = "lead.follow-up-recorded"

    code: str
    connected: bool
    outcome: str | None = None
    by: str | None = None
    method: str | None = None
    content: str | None = None
    feedback: str | None = None
    next_step: str | None = None
    next_step_due: date | None = None
    stage: str | None = None
    details: Details = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LeadInvalidated(Event):
    """The lead is of no use: wrong contact details, explicit refusal, lost (R101, A25)."""

    topic: ClassVar[str] = "lead.invalidated"

    reason: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class LeadReopened(Event):
    """An invalid lead is worked on again (A25)."""

    topic: ClassVar[str] = "lead.reopened"

    reason: str | None = None


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

    reason: str


EVENTS: tuple[type[Event], ...] = (
    LeadCaptured, LeadAssigned, LeadReassigned, StageChanged, FollowUpRecorded,
    LeadInvalidated, LeadReopened, LeadConverted, ConversionReversed,
)  # fmt: skip
