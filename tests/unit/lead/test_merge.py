"""Leads that are one: merged, unmerged, told apart (R2, A1)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from aggregates.event import Event
from aggregates.lead.assign import assign
from aggregates.lead.close import invalidate, reopen
from aggregates.lead.convert import convert, reverse_conversion
from aggregates.lead.duplicates import dismiss, merge, unmerge
from aggregates.lead.events import (
    DuplicateDismissed,
    DuplicateSuspected,
    LeadCaptured,
    LeadConverted,
    LeadInvalidated,
    LeadsMerged,
    MergeUndone,
)
from aggregates.lead.evolve import fold
from aggregates.lead.label import override
from aggregates.lead.state import Lead
from aggregates.policy.work import ConversionRules
from tests.unit.lead.given import CAPTURED, CODE, LEAD, NOW, given, lead_of
from tests.unit.lead.test_info import completed

OTHER = UUID(int=2)
SURVIVOR_CODE = "XLSH20240430007"
MERGED = LeadsMerged(occurred_at=NOW, into=OTHER, into_code=SURVIVOR_CODE, reason="one person")
WON = LeadConverted(occurred_at=NOW, basis="contract_signed")


def other(*more: Event) -> Lead:
    return fold(Lead(OTHER), [LeadCaptured(occurred_at=NOW, code=SURVIVOR_CODE), *more])


def merging(into: Lead | None = None) -> Callable[[Lead], Sequence[Event]]:
    return partial(merge, into=into or other(), now=NOW, reason="one person")


def test_a_merged_lead_says_where_it_counts() -> None:
    """A1: linked by an event, never deleted; the same again changes nothing."""
    merged = given(*CAPTURED).when(merging()).then(MERGED)
    merged.when(merging()).then()
    lead = lead_of(*merged.history)
    assert (lead.disposition, lead.merged_into, lead.code) == ("merged", OTHER, CODE)


def test_unmerged_it_is_as_if_it_had_not_been() -> None:
    """A1: undoable."""
    undo = partial(unmerge, now=NOW, reason="two people")
    undone = given(*CAPTURED, MERGED).when(undo)
    lead = undone.then(MergeUndone(occurred_at=NOW, into=OTHER, reason="two people"))
    lead.when(undo).then()
    assert {**vars_of(lead_of(*lead.history)), "version": 2} == vars_of(lead_of(*CAPTURED))
    lead.when(merging()).then(MERGED)


def vars_of(lead: Lead) -> dict[str, Any]:
    return {name: getattr(lead, name) for name in Lead.__dataclass_fields__}


@pytest.mark.parametrize(
    ("into", "code", "says"),
    [
        (fold(Lead(LEAD), CAPTURED), "merge-with-itself", "another lead"),
        (Lead(OTHER), "unknown-lead", "no captured lead"),
        (
            other(LeadsMerged(occurred_at=NOW, into=UUID(int=3), into_code="XLSH1")),
            "lead-merged",
            f"{SURVIVOR_CODE} is merged into another one: merge into that one",
        ),
        (
            other(LeadInvalidated(occurred_at=NOW)),
            "lead-invalid",
            f"{SURVIVOR_CODE} is invalid: reopen it first",
        ),
    ],
)
def test_what_cannot_take_a_lead_over(into: Lead, code: str, says: str) -> None:
    """A1: the refusal says what to do."""
    merged = given(*CAPTURED).when(merging(into))
    merged.refused(code, "into")
    with pytest.raises(Exception, match=says):
        merged.decide(lead_of(*CAPTURED))


@pytest.mark.parametrize(
    ("into", "says"),
    [
        (other(), f"merge {SURVIVOR_CODE} into {CODE}"),
        (other(WON), "reverse one of the two conversions first"),
    ],
)
def test_a_conversion_is_never_hidden_by_a_merge(into: Lead, says: str) -> None:
    """A1: merged duplicates are in no figure, so what was won stays the survivor."""
    merged = given(*CAPTURED, WON).when(merging(into))
    merged.refused("lead-converted", "into")
    with pytest.raises(Exception, match=says):
        merged.decide(lead_of(*CAPTURED, WON))
    given(*CAPTURED).when(merging(other(WON))).then(MERGED)


def test_a_merged_lead_is_merged_once() -> None:
    """Into another one only after the merge was undone."""
    third = fold(Lead(UUID(int=3)), [LeadCaptured(occurred_at=NOW, code="XLSH3")])
    given(*CAPTURED, MERGED).when(merging(third)).refused("lead-merged")
    given().when(merging()).refused("not-captured")


Work = Callable[..., Sequence[Event]]


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (assign, {"owner": "li", "team": None, "reason": None}),
        (invalidate, {"reason": "r", "note": None, "reasons": ("r",)}),
        (reopen, {"reason": None}),
        (reverse_conversion, {"reason": "r"}),
        (override, {"level": "low", "segment": None, "reason": None}),
        (
            convert,
            {
                "zone": ZoneInfo("Asia/Shanghai"),
                "converted_at": None,
                "amount": None,
                "basis": "contract_signed",
                "rules": ConversionRules(),
            },
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_merged_lead_takes_no_more_work(work: Work, said: dict[str, Any]) -> None:
    """A1: whoever works on it is told so, and nothing of a lead that may be somebody else's."""
    now: datetime = NOW
    working = given(*CAPTURED, MERGED).when(partial(work, now=now, **said))
    working.refused("lead-merged")
    with pytest.raises(Exception, match="merged into another one: work on that one"):
        working.decide(lead_of(*CAPTURED, MERGED))
    given(*CAPTURED, MERGED).when(completed).refused("lead-merged")


def test_two_leads_are_told_apart() -> None:
    """A1: a person decides on what is only possible."""
    suspicion = DuplicateSuspected(occurred_at=NOW, other=OTHER, certain=False, by=("customer",))
    decide = partial(dismiss, now=NOW, other=other(), reason="two firms")
    apart = given(*CAPTURED, suspicion).when(decide)
    lead = apart.then(DuplicateDismissed(occurred_at=NOW, other=OTHER, reason="two firms"))
    lead.when(decide).then()
    assert not lead_of(*lead.history).suspects


def test_either_of_two_leads_is_told_that_they_are_two() -> None:
    """A1: the newer one suspects the older one, of which nobody need know; a new reason counts."""

    def apart(*theirs: Event) -> Callable[[Lead], Sequence[Event]]:
        return partial(dismiss, now=NOW, other=other(*theirs), reason=None)

    suspicion = DuplicateSuspected(occurred_at=NOW, other=LEAD, certain=False, by=("customer",))
    told = (
        given(*CAPTURED)
        .when(apart(suspicion))
        .then(DuplicateDismissed(occurred_at=NOW, other=OTHER, suspected_at=2))
    )
    told.when(apart(suspicion)).then()
    told.when(apart()).then()
    told.when(apart(suspicion, DuplicateSuspected(other=LEAD, certain=True, by=("phone",)))).then(
        DuplicateDismissed(occurred_at=NOW, other=OTHER, suspected_at=3)
    )
