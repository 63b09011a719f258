"""Tests of the lead that speak events: given(history).when(decision).then(new events)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from aggregates.event import Event
from aggregates.lead.events import LeadAssigned, LeadCaptured, StageChanged
from aggregates.lead.evolve import fold
from aggregates.lead.state import TO_FOLLOW_UP, UNASSIGNED, Lead
from aggregates.refusal import Refusal

LEAD = UUID("5b0c9b52-6a52-4d4c-9c3e-2f0f6f7a1d11")
NOW = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
"""2024-05-01 09:15 in Shanghai, the capture of the brief's sample lead."""
CODE = "XLSH20240501001"
HOUR = timedelta(hours=1)

Decision = Callable[[Lead], Sequence[Event]]

CAPTURED: tuple[Event, ...] = (
    LeadCaptured(occurred_at=NOW, code=CODE),
    StageChanged(occurred_at=NOW, stage=UNASSIGNED),
)
ASSIGNED: tuple[Event, ...] = (
    *CAPTURED,
    LeadAssigned(occurred_at=NOW, owner="chen", team="east"),
    StageChanged(occurred_at=NOW, stage=TO_FOLLOW_UP, previous=UNASSIGNED),
)


@dataclass(frozen=True)
class When:
    """A decision about to be taken on a history."""

    history: tuple[Event, ...]
    decide: Decision

    def then(self, *expected: Event) -> "Given":
        """It records exactly these events; returns the history that goes on from there."""
        assert list(self.decide(lead_of(*self.history))) == list(expected)
        return Given((*self.history, *expected))

    def refused(self, code: str, field: str | None = None) -> None:
        """It records nothing, for this reason and because of this field."""
        with pytest.raises(Refusal) as refusal:
            self.decide(lead_of(*self.history))
        assert (refusal.value.code, refusal.value.field) == (code, field)
        assert refusal.value.message == str(refusal.value) != ""


@dataclass(frozen=True)
class Given:
    """What has happened to the lead so far."""

    history: tuple[Event, ...]

    def when(self, decide: Decision) -> When:
        """Take a decision."""
        return When(self.history, decide)


def given(*history: Event) -> Given:
    """A lead to which this has happened, in this order."""
    return Given(history)


def lead_of(*history: Event) -> Lead:
    """The folded lead."""
    return fold(Lead(LEAD), history)
