"""Entering a lead: R15, R72, R81, and the assignment that may come with it."""

from functools import partial

from aggregates.lead.capture import capture
from aggregates.lead.events import LeadAssigned, LeadCaptured, StageChanged
from aggregates.lead.state import TO_FOLLOW_UP, UNASSIGNED
from tests.unit.lead.given import CAPTURED, CODE, HOUR, LEAD, NOW, given, lead_of

DETAILS = {"customer": "星辰科技有限公司", "source": "官网", "budget": "12"}


def test_a_new_lead_waits_for_assignment() -> None:
    """R15, R16, R20, R72, R81; decision 11: the stage is an event of the same commit."""
    given().when(partial(capture, now=NOW, code=CODE, details=DETAILS)).then(
        LeadCaptured(occurred_at=NOW, code=CODE, details=DETAILS),
        StageChanged(occurred_at=NOW, stage=UNASSIGNED),
    )


def test_an_owner_among_the_details_is_assigned_at_once() -> None:
    """R7, R8: the owner is said once, by the assignment."""
    details = {**DETAILS, "owner": "chen", "team": "east"}
    given().when(partial(capture, now=NOW, code=CODE, details=details)).then(
        LeadCaptured(occurred_at=NOW, code=CODE, details=DETAILS),
        StageChanged(occurred_at=NOW, stage=UNASSIGNED),
        LeadAssigned(occurred_at=NOW, owner="chen", team="east"),
        StageChanged(occurred_at=NOW, stage=TO_FOLLOW_UP, previous=UNASSIGNED),
    )


def test_a_lead_is_captured_once() -> None:
    """R72: the code is unique and stays."""
    decide = partial(capture, now=NOW + HOUR, code="XLSH20240501002", details={})
    given(*CAPTURED).when(decide).refused("already-captured")


def test_facts_that_came_before_the_capture_are_kept() -> None:
    """An import may speak of a lead before its creation (interface.md section 4)."""
    before = LeadAssigned(occurred_at=None, owner="li", details={"region": "华东"})
    lead = lead_of(before, LeadCaptured(occurred_at=NOW, code=CODE, details={"source": "展会"}))
    assert lead.captured_at == NOW
    assert lead.id == LEAD
    assert dict(lead.profile) == {"owner": "li", "region": "华东", "source": "展会"}


def test_captured_twice_by_imports_the_first_one_dates_the_lead() -> None:
    """Interface.md section 4: capture time the first LeadCreated's, values the last row's."""
    again = LeadCaptured(occurred_at=NOW - HOUR, code="other", details={"industry": "制造业"})
    lead = lead_of(LeadCaptured(occurred_at=NOW, code=CODE, details={"industry": "教育"}), again)
    assert (lead.captured_at, lead.code) == (NOW, CODE)
    assert lead.profile["industry"] == "制造业"
