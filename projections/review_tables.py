"""The tables of the read model `reviewing`.

`standings`: how every lead stands. `lapses`: each time that something was not done when it was due,
with whoever the lead was in charge of then. `findings`: what a review would find of a lead, in
stretches that say from when to when that was known (R103, R109, R110).
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from projections.base import Table

LATE, ESCALATED, INCOMPLETE, OVERDUE = "late", "escalated", "incomplete", "overdue"
PAUSED, UNOWNED = "paused", "unowned"
_OF_A_PERIOD = f"finding IN ('{LATE}', '{ESCALATED}')"


@dataclass(slots=True)
class StandingRow:
    """A lead. `daily` = it was to be assigned at some time; `unassignable_since`: since when the
    rules find nobody. `paused_seconds`: of the pauses that are over. From `wrong_numbers` on as in
    Effort. The proposal to give it up is the latest one; it `stands` until it is answered, the
    customer is reached or the lead is closed.
    """

    lead: UUID
    code: str | None = None
    owner: str | None = None
    team: str | None = None
    pool: str | None = None
    daily: bool = False
    captured: bool = False
    captured_at: datetime | None = None
    merged: bool = False
    converted: bool = False
    invalidated: bool = False
    erased: bool = False
    unassignable_since: datetime | None = None
    paused: bool = False
    paused_since: datetime | None = None
    resume_at: datetime | None = None
    paused_seconds: float = 0.0
    wrong_numbers: int = 0
    connected: int = 0
    connected_at: datetime | None = None
    refused: bool = False
    last_at: datetime | None = None
    begun_at: datetime | None = None
    quiet_since: datetime | None = None
    proposed_reason: str | None = None
    proposed_month: str | None = None
    proposed_at: datetime | None = None
    proposed_position: int | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    stands: bool = False


@dataclass(slots=True)
class LapseRow:
    """Something was not done by `at`. `owner` and `team` are those of that time; `is_open` = it is
    still to be done, once the lead is not merged any more; `late_reason` as given for it (R42).
    """

    lead: UUID
    position: int
    kind: str
    task: str
    at: datetime | None
    owner: str | None
    team: str | None
    is_open: bool = True
    late_reason: str | None = None


@dataclass(slots=True)
class FindingRow:
    """A finding, as it was known from `known_from` until before `known_until` (None = still).

    `position`: of the event that said so; `nr`: which of the lead's lapses it is, from 0. `since`:
    when it began; `owner`: who is responsible. `paused_seconds`: of the pauses before this one.
    """

    lead: UUID
    position: int
    finding: str
    nr: int
    known_from: datetime
    known_until: datetime | None = None
    since: datetime | None = None
    owner: str | None = None
    team: str | None = None
    task: str | None = None
    late_reason: str | None = None
    resume_at: datetime | None = None
    unassignable_since: datetime | None = None
    paused_seconds: float | None = None


STANDINGS = Table(
    "standings",
    StandingRow,
    key=("lead",),
    indexes=(
        "(proposed_position) WHERE stands",
        "(proposed_month) WHERE proposed_month IS NOT NULL",
        "(quiet_since, lead) WHERE captured AND NOT (merged OR converted OR invalidated OR erased)",
    ),
)
LAPSES = Table("lapses", LapseRow, key=("lead", "position"))
FINDINGS = Table(
    "findings",
    FindingRow,
    key=("lead", "position", "finding", "nr"),
    indexes=(f"(since) WHERE {_OF_A_PERIOD}", f"(known_until) WHERE NOT {_OF_A_PERIOD}"),
)
