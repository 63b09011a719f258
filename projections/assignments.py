"""Who was given leads, and who might have been: the ground of fairness (R43, R44, A13).

The events of assignment by rule name the candidates with the loads and weights that were seen, ten
at most; nothing is worked out again here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aggregates.event import Recorded
from aggregates.lead import events as e
from projections.base import Projection, Table, View, WorkingSet

BY_RULE, BY_HAND, CLAIMED = "rule", "hand", "claim"


@dataclass(slots=True)
class AssignmentRow:
    """A lead came to `person`: by `how`. `at` is UTC, null = unknown."""

    position: int
    lead: UUID
    person: str
    at: datetime | None
    how: str


@dataclass(slots=True)
class CandidateRow:
    """The rules looked at `person` for a lead: with this load, open and unpaused leads, and this
    weight, their share of the work beside that of others.
    """

    position: int
    person: str
    lead: UUID
    at: datetime | None
    chosen: bool
    load: int
    weight: float


ASSIGNMENTS = Table("assignments", AssignmentRow, key=("position",), facts=True)
CANDIDATES = Table("candidates", CandidateRow, key=("position", "person"), facts=True)

Given = e.LeadAssigned | e.LeadReassigned | e.LeadHandedOver | e.LeadClaimed


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """A row for each owner that a lead gets, and for each candidate of each choice."""
    for recorded in batch:
        event = recorded.event
        assert isinstance(event, Given)
        person = _person(event)
        if not person:
            continue
        position, lead, at = recorded.position, recorded.stream, event.occurred_at
        working.append(ASSIGNMENTS, AssignmentRow(position, lead, person, at, _how(event)))
        for name, load, weight in _candidates(event):
            chosen = name == person
            row = CandidateRow(position, name, lead, at, chosen, load, weight)
            working.append(CANDIDATES, row)


def _person(event: Given) -> str | None:
    imported = event.details.get("owner") if isinstance(event, e.LeadAssigned) else None
    return event.owner or imported


def _how(event: Given) -> str:
    if isinstance(event, e.LeadClaimed):
        return CLAIMED
    return BY_RULE if event.explanation else BY_HAND


def _candidates(event: Given) -> list[tuple[str, int, float]]:
    seen = () if isinstance(event, e.LeadClaimed) else event.explanation.get("candidates", ())
    return [(one["person"], one["load"], float(one.get("weight", 1))) for one in seen]


VIEW = View(
    name="assignments",
    comment="Leads that came to somebody, one row each time.",
    query="SELECT position, lead, person, at, how FROM {rows} a",
    scoped="assignments",
    columns={
        "position": "Log position of the event.",
        "lead": "Stream id of the lead.",
        "person": "Who got it.",
        "at": "When; null = unknown.",
        "how": "rule, hand or claim (taken out of a pool by themselves).",
    },
)
CANDIDATES_VIEW = View(
    name="assignment_candidates",
    comment="Whom the rules looked at for a lead, the chosen one included; ten at most.",
    query=("SELECT position, person, lead, at, chosen, load, weight FROM {schema}.candidates"),
    columns={
        "position": "Log position of the assignment.",
        "person": "The candidate.",
        "lead": "Stream id of the lead.",
        "at": "When; null = unknown.",
        "chosen": "Whether they got it.",
        "load": "Their open, unpaused leads as seen then.",
        "weight": "Their share of the work beside that of others.",
    },
)

PROJECTION = Projection(
    "assignments",
    2,
    (e.LeadAssigned, e.LeadReassigned, e.LeadHandedOver, e.LeadClaimed),
    (ASSIGNMENTS, CANDIDATES),
    fold,
    (VIEW, CANDIDATES_VIEW),
)
