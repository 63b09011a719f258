"""Marketing's look at a lead before sales gets it: R118, A28."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aggregates.event import Event
from aggregates.lead.assign import awaits_assignment
from aggregates.lead.events import (
    LeadAssigned,
    LeadCaptured,
    LeadConverted,
    LeadInvalidated,
    LeadPaused,
    LeadReopened,
    LeadResumed,
    LeadScreened,
)
from aggregates.lead.screen import screen
from aggregates.lead.state import Disposition
from aggregates.policy.book import InForce, Policies
from aggregates.policy.entry import Screening
from tests.unit.lead.given import CODE, NOW, Decision, given, lead_of

RULES = Screening(sources=("展会咨询",))
POLICIES = replace(Policies(), screening=InForce(RULES, Policies().screening.ref))
FAIR: Sequence[Event] = (LeadCaptured(occurred_at=NOW, code=CODE, details={"source": "展会咨询"}),)
ACCEPTED = LeadScreened(occurred_at=NOW, accepted=True)
REJECTED = LeadScreened(occurred_at=NOW, accepted=False, reason="无需求", note="学生")
GONE = LeadInvalidated(occurred_at=NOW, reason="无需求", note="学生")
ASSIGNED = LeadAssigned(occurred_at=NOW, owner="chen")


def accepting(**changes: Any) -> Decision:
    """The decision to accept."""
    verdict: dict[str, Any] = {"accepted": True, "reason": None, "note": None, "rules": RULES}
    return lambda lead: screen(lead, now=NOW, **(verdict | changes))


def rejecting(**changes: Any) -> Decision:
    """The decision to reject."""
    return accepting(**({"accepted": False, "reason": "无需求", "note": "学生"} | changes))


def test_an_accepted_lead_awaits_its_owner() -> None:
    """R118, A28: screening is the hand-off; sales gets nothing before it."""
    given(*FAIR).when(accepting()).then(ACCEPTED)
    assert not awaits_assignment(lead_of(*FAIR), POLICIES)
    assert awaits_assignment(lead_of(*FAIR, ACCEPTED), POLICIES)


def test_a_rejected_lead_is_given_up_in_the_same_commit() -> None:
    """R118, A25: for a reason, with a note, and reopenable."""
    given(*FAIR).when(rejecting()).then(REJECTED, GONE)
    lead = lead_of(*FAIR, REJECTED, GONE)
    assert (lead.disposition, lead.invalid_reason) == (Disposition.INVALID, "无需求")
    assert not awaits_assignment(lead, POLICIES)


def test_the_same_verdict_again_records_nothing() -> None:
    """R118."""
    given(*FAIR, ACCEPTED).when(accepting()).then()
    given(*FAIR, ACCEPTED, ASSIGNED).when(accepting()).then()
    given(*FAIR, REJECTED, GONE).when(rejecting()).then()


def test_marketing_may_think_again_until_sales_has_the_lead() -> None:
    """A28: avoids 责任模糊: from its first owner on the lead is the owner's."""
    given(*FAIR, ACCEPTED).when(rejecting()).then(REJECTED, GONE)
    given(*FAIR, ACCEPTED, ASSIGNED).when(rejecting()).refused("already-owned")
    given(*FAIR, REJECTED, GONE).when(accepting()).refused("lead-invalid")
    back = (*FAIR, REJECTED, GONE, LeadReopened(occurred_at=NOW))
    given(*back).when(accepting()).then(ACCEPTED)
    given(*back).when(rejecting()).then(REJECTED, GONE)


def test_a_rejection_has_one_of_the_policys_reasons() -> None:
    """R118."""
    given(*FAIR).when(rejecting(reason=None)).refused("unknown-reason", "reason")
    given(*FAIR).when(rejecting(reason="没兴趣")).refused("unknown-reason", "reason")


def test_only_leads_of_the_policys_sources_are_screened() -> None:
    """R118, decision 4: off by default."""
    given(*FAIR).when(accepting(rules=Screening())).refused("not-screened")
    web: Sequence[Event] = (LeadCaptured(occurred_at=NOW, code=CODE),)
    given(*web).when(rejecting()).refused("not-screened")


def test_a_paused_lead_that_is_rejected_is_paused_no_longer() -> None:
    """A26."""
    paused, resumed = LeadPaused(occurred_at=NOW, reason="x"), LeadResumed(occurred_at=NOW)
    given(*FAIR, paused).when(rejecting()).then(REJECTED, resumed, GONE)


def test_refused_before_the_capture_and_when_closed() -> None:
    """A15, A25."""
    given().when(accepting()).refused("not-captured")
    given(*FAIR, LeadInvalidated(reason="x")).when(accepting()).refused("lead-invalid")
    given(*FAIR, LeadConverted(occurred_at=NOW)).when(accepting()).refused("lead-converted")
