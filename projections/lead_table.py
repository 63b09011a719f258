"""The table of leads: its columns, and the indexes of the lists that are asked for.

Figures that must survive a hand-over are kept where they happened: `first_owner`, `owners` (every
one, in order) and `owner_at_conversion` (A22).
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from projections.base import Table
from projections.tasks import UNRATED_RANK


@dataclass(slots=True)
class LeadRow:
    """A lead as it stands. Times are UTC and null when unknown; a `*_position` is the log's.

    `masked_attributes`, `covered`: see `lead_attributes.Described`.
    `erased_at`: since when what is personal is gone.
    """

    lead: UUID
    code: str | None = None
    external_id: str | None = None
    source_system: str | None = None
    captured: bool = False
    entered_by: str | None = None
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
    merged_into: UUID | None = None
    missing: list[str] = field(default_factory=list)
    label_overridden: bool = False
    suspects: list[str] = field(default_factory=list)
    screened: bool | None = None
    pool: str | None = None
    assigned_at: datetime | None = None
    unassignable: bool = False
    paused: bool = False
    paused_since: datetime | None = None
    pause_reason: str | None = None
    resume_at: datetime | None = None
    paused_seconds: float = 0.0
    clocks: dict[str, Any] = field(default_factory=dict)
    rang: list[str] = field(default_factory=list)
    level_rank: int = UNRATED_RANK
    due_at: datetime | None = None
    overdue: bool = False
    attachments: int = 0
    shared_with: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    masked_attributes: dict[str, Any] = field(default_factory=dict)
    covered: dict[str, Any] = field(default_factory=dict)
    erased_at: datetime | None = None
    version: int = 0
    position: int = 0
    recorded_at: datetime | None = None


_BY_LEVEL = "level_rank, coalesce(due_at, 'infinity'), lead"
LEADS = Table(
    "leads",
    LeadRow,
    key=("lead",),
    indexes=(
        "(code)",
        "(source_system, external_id)",
        "(captured_at)",
        "(merged_into) WHERE merged",
        "(pool, captured_at, lead) WHERE pool IS NOT NULL",
        "(captured_at, lead) WHERE paused",
        "(owner, captured_at, lead)",
        "(team, captured_at, lead) WHERE owner IS NOT NULL",
        "USING gin (shared_with) WHERE cardinality(shared_with) > 0",
        "(captured_at, lead) WHERE owner IS NULL AND pool IS NULL",
        "(entered_by, captured_at, lead) WHERE owner IS NULL AND pool IS NULL",
        f"({_BY_LEVEL})",
        f"({_BY_LEVEL}) WHERE overdue",
        f"(owner, {_BY_LEVEL})",
        f"(team, {_BY_LEVEL}) WHERE owner IS NOT NULL",
        f"({_BY_LEVEL}) WHERE owner IS NULL AND pool IS NULL",
    ),
)
