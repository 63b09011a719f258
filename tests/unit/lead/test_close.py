"""Giving a lead up and taking it up again: R100, R101, A15, A25."""

from functools import partial

from aggregates.lead.close import invalidate, reopen
from aggregates.lead.events import (
    LeadConverted,
    LeadInvalidated,
    LeadPaused,
    LeadReopened,
    LeadResumed,
)
from aggregates.lead.state import TO_FOLLOW_UP, Activity, Disposition
from aggregates.policy.work import CleanUp
from tests.unit.lead.given import ASSIGNED, HOUR, NOW, given, lead_of

LATER = NOW + HOUR
REASON = "联系方式错误"
GONE = LeadInvalidated(occurred_at=LATER, reason=REASON, note="号码是空号")
BACK = LeadReopened(occurred_at=LATER, reason="called back")
give_up = partial(
    invalidate, now=LATER, reason=REASON, note="号码是空号", reasons=CleanUp().reasons
)
take_up = partial(reopen, now=LATER, reason="called back")


def test_a_lead_is_given_up_for_a_reason() -> None:
    """R101: a mark, never a deletion; the stage stays (A15)."""
    given(*ASSIGNED).when(give_up).then(GONE)
    lead = lead_of(*ASSIGNED, GONE)
    assert (lead.disposition, lead.invalid_reason) == (Disposition.INVALID, REASON)
    assert lead.stage == TO_FOLLOW_UP


def test_the_reasons_are_the_policys() -> None:
    """R101, A25: what else there is to say is for the note; imported reasons stay as they are."""
    other = partial(give_up, reason="没有预算")
    given(*ASSIGNED).when(other).refused("unknown-reason", "reason")
    given(*ASSIGNED).when(partial(other, reasons=("没有预算",))).then(
        LeadInvalidated(occurred_at=LATER, reason="没有预算", note="号码是空号")
    )
    imported = LeadInvalidated(occurred_at=NOW, reason="lost")
    assert lead_of(*ASSIGNED, imported).invalid_reason == "lost"


def test_an_invalid_lead_is_not_paused() -> None:
    """A15, A26: the pause ends in the same commit, so that its time is counted right."""
    paused = LeadPaused(occurred_at=NOW, reason="预算未批")
    resumed = LeadResumed(occurred_at=LATER)
    given(*ASSIGNED, paused).when(give_up).then(resumed, GONE)
    lead = lead_of(*ASSIGNED, paused, resumed, GONE)
    assert (lead.activity, lead.paused_seconds) == (Activity.ACTIVE, 3600)


def test_an_invalid_lead_stays_as_it_is() -> None:
    """A25: a repeated intent records nothing."""
    given(*ASSIGNED).when(give_up).then(GONE).when(give_up).then()


def test_a_converted_lead_is_not_given_up() -> None:
    """A15: reverse the conversion first."""
    given(*ASSIGNED, LeadConverted(occurred_at=NOW)).when(give_up).refused("lead-converted")


def test_an_invalid_lead_can_be_taken_up_again() -> None:
    """A25: reopenable, with the stage and the owner that it had."""
    given(*ASSIGNED, GONE).when(take_up).then(BACK)
    lead = lead_of(*ASSIGNED, GONE, BACK)
    assert (lead.disposition, lead.invalid_reason) == (Disposition.OPEN, None)
    assert (lead.stage, lead.owner) == (TO_FOLLOW_UP, "chen")


def test_an_open_lead_stays_as_it_is() -> None:
    """A25: a repeated intent records nothing."""
    given(*ASSIGNED).when(take_up).then()
    given(*ASSIGNED, GONE).when(take_up).then(BACK).when(take_up).then()


def test_refused_before_the_capture() -> None:
    """A25: what imports have only mentioned is not worked on by command."""
    given(LeadInvalidated(reason="lost")).when(give_up).refused("not-captured")
    given(LeadInvalidated(reason="lost")).when(take_up).refused("not-captured")


def test_a_loss_after_a_conversion_leaves_the_lead_converted() -> None:
    """Interface.md section 4."""
    assert (
        lead_of(*ASSIGNED, LeadConverted(occurred_at=NOW), GONE).disposition
        is Disposition.CONVERTED
    )
