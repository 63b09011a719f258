"""Winning a lead and taking that back: R59-R63, R70, A15, A19, A22."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from aggregates.event import Event
from aggregates.lead.convert import convert, reverse_conversion
from aggregates.lead.events import (
    ConversionReversed,
    LeadConverted,
    LeadInvalidated,
    LeadPaused,
    LeadReassigned,
    LeadResumed,
    StageChanged,
)
from aggregates.lead.state import TO_FOLLOW_UP, WON, Activity, Conversion, Disposition, Lead
from aggregates.policy.work import CONTRACT_SIGNED, FIRST_ORDER, ConversionRules
from tests.unit.lead.given import ASSIGNED, CAPTURED, HOUR, NOW, Decision, given, lead_of

LATER = NOW + timedelta(days=19)
BOTH = ConversionRules(bases=(CONTRACT_SIGNED, FIRST_ORDER))
AMOUNT = Decimal("85000.00")
SIGNED = LeadConverted(occurred_at=LATER, amount=AMOUNT, basis=CONTRACT_SIGNED)
ENTERED = StageChanged(occurred_at=LATER, stage=WON, previous=TO_FOLLOW_UP)
TAKEN_BACK = ConversionReversed(occurred_at=LATER, reason="withdrawn")
STAGE_BACK = StageChanged(occurred_at=LATER, stage=TO_FOLLOW_UP, previous=WON)


def converting(**changes: Any) -> Decision:
    """The decision to convert at LATER for AMOUNT by contract, apart from `changes`."""
    command: dict[str, Any] = {
        "now": LATER,
        "zone": ZoneInfo("Asia/Shanghai"),
        "converted_at": None,
        "amount": AMOUNT,
        "basis": CONTRACT_SIGNED,
        "rules": ConversionRules(),
    }
    return lambda lead: convert(lead, **(command | changes))


def taking_back(lead: Lead) -> Sequence[Event]:
    """The decision to reverse the conversion."""
    return reverse_conversion(lead, now=LATER, reason="withdrawn")


def test_a_signed_contract_converts_the_lead_and_wins_the_stage() -> None:
    """R59, R60, R62, A15, decision 11: 已转化 and 成交 in one commit."""
    given(*ASSIGNED).when(converting()).then(SIGNED, ENTERED)
    lead = lead_of(*ASSIGNED, SIGNED, ENTERED)
    assert (lead.disposition, lead.stage, lead.amount) == (Disposition.CONVERTED, WON, AMOUNT)


def test_a_lead_in_the_won_stage_is_only_converted() -> None:
    """A15: an import may have put it there."""
    there = StageChanged(occurred_at=NOW, stage=WON)
    given(*ASSIGNED, there).when(converting()).then(SIGNED)


def test_the_signing_may_be_entered_later() -> None:
    """R93: converted_at is the time of the signing."""
    at = LATER - HOUR
    given(*ASSIGNED).when(converting(converted_at=at)).then(
        LeadConverted(occurred_at=at, amount=AMOUNT, basis=CONTRACT_SIGNED),
        StageChanged(occurred_at=at, stage=WON, previous=TO_FOLLOW_UP),
    )


@pytest.mark.parametrize(
    "again",
    [
        {},
        {"amount": None},
        {"converted_at": LATER},
        {"now": LATER + HOUR},
        {"amount": Decimal(85000)},
    ],
)
def test_the_same_conversion_again_records_nothing(again: dict[str, Any]) -> None:
    """R59: said again, in fewer words or later."""
    given(*ASSIGNED).when(converting()).then(SIGNED, ENTERED).when(converting(**again)).then()


@pytest.mark.parametrize(
    "other",
    [
        {"amount": Decimal(1)},
        {"converted_at": LATER - HOUR},
        {"basis": FIRST_ORDER, "rules": BOTH},
    ],
)
def test_another_conversion_is_refused_while_one_stands(other: dict[str, Any]) -> None:
    """R59, R70."""
    given(*ASSIGNED, SIGNED).when(converting(**other)).refused("already-converted")


def test_one_standard_of_conversion() -> None:
    """R70, A19: contract by default; the policy may accept the first order too."""
    given(*ASSIGNED).when(converting(basis=FIRST_ORDER)).refused("basis-not-accepted", "basis")
    given(*ASSIGNED).when(converting(basis=FIRST_ORDER, rules=BOTH)).then(
        LeadConverted(occurred_at=LATER, amount=AMOUNT, basis=FIRST_ORDER), ENTERED
    )


def test_no_signing_lies_in_the_future() -> None:
    """R93; five minutes of a client's clock are forgiven."""
    edge = LATER + timedelta(minutes=5)
    given(*ASSIGNED).when(converting(converted_at=edge)).then(
        LeadConverted(occurred_at=edge, amount=AMOUNT, basis=CONTRACT_SIGNED),
        StageChanged(occurred_at=edge, stage=WON, previous=TO_FOLLOW_UP),
    )
    given(*ASSIGNED).when(converting(converted_at=edge + timedelta(seconds=1))).refused(
        "in-the-future", "converted_at"
    )


def test_refused_before_the_capture_and_when_invalid() -> None:
    """A15, A25."""
    given().when(converting()).refused("not-captured")
    given(*ASSIGNED, LeadInvalidated(reason="x")).when(converting()).refused("lead-invalid")


def test_a_conversion_can_be_taken_back() -> None:
    """R58: the report follows; the old figures stay reproducible from the log."""
    given(*ASSIGNED, SIGNED, ENTERED).when(taking_back).then(TAKEN_BACK, STAGE_BACK)
    lead = lead_of(*ASSIGNED, SIGNED, ENTERED, TAKEN_BACK, STAGE_BACK)
    assert (lead.disposition, lead.conversion, lead.amount) == (Disposition.OPEN, None, None)
    assert lead.stage == TO_FOLLOW_UP


def test_the_stage_goes_back_to_the_one_before_it_was_won() -> None:
    """A15: wherever that was; one that an import won without a stage before stays there."""
    proposed = StageChanged(occurred_at=NOW, stage="方案提交", previous=TO_FOLLOW_UP)
    back = StageChanged(occurred_at=LATER, stage="方案提交", previous=WON)
    given(*ASSIGNED, proposed, SIGNED, ENTERED, ENTERED).when(taking_back).then(TAKEN_BACK, back)
    won_at_once = (*CAPTURED[:1], StageChanged(occurred_at=NOW, stage=WON), SIGNED)
    given(*won_at_once).when(taking_back).then(TAKEN_BACK)


def test_a_won_lead_is_not_paused() -> None:
    """A15, A26: the pause ends in the same commit, so that its time is counted right."""
    paused = LeadPaused(occurred_at=NOW, reason="预算未批")
    resumed = LeadResumed(occurred_at=LATER)
    given(*ASSIGNED, paused).when(converting()).then(resumed, SIGNED, ENTERED)
    lead = lead_of(*ASSIGNED, paused, resumed, SIGNED, ENTERED)
    assert (lead.activity, lead.paused_seconds) == (Activity.ACTIVE, 19 * 86400)


def test_no_contract_is_signed_before_the_capture() -> None:
    """R61, R93: by hand it is a slip; what a file says so is counted with its negative cycle."""
    early = NOW - timedelta(seconds=1)
    given(*ASSIGNED).when(converting(converted_at=early)).refused("before-capture", "converted_at")
    at_once = LeadConverted(occurred_at=NOW, amount=AMOUNT, basis=CONTRACT_SIGNED)
    entered = StageChanged(occurred_at=NOW, stage=WON, previous=TO_FOLLOW_UP)
    given(*ASSIGNED).when(converting(converted_at=NOW)).then(at_once, entered)


def test_an_amount_where_the_company_wants_one() -> None:
    """R62: by policy; a conversion that stands is said again without it."""
    rules = ConversionRules(amount_required=True)
    given(*ASSIGNED).when(converting(amount=None, rules=rules)).refused("amount-required", "amount")
    given(*ASSIGNED).when(converting(rules=rules)).then(SIGNED, ENTERED).when(
        converting(amount=None, rules=rules)
    ).then()


def test_the_won_stage_is_entered_last_though_the_signing_is_entered_late() -> None:
    """A30: the move is dated no earlier than the one before it, the conversion as it was."""
    proposed = StageChanged(occurred_at=LATER, stage="方案提交", previous=TO_FOLLOW_UP)
    at = LATER - HOUR
    given(*ASSIGNED, proposed).when(converting(converted_at=at)).then(
        LeadConverted(occurred_at=at, amount=AMOUNT, basis=CONTRACT_SIGNED),
        StageChanged(occurred_at=LATER, stage=WON, previous="方案提交"),
    )


def test_taking_back_nothing_records_nothing() -> None:
    """R58."""
    given(*ASSIGNED).when(taking_back).then()
    given(*ASSIGNED, SIGNED).when(taking_back).then(TAKEN_BACK).when(taking_back).then()


def test_taking_back_before_the_capture_is_refused() -> None:
    """A conversion that only an import has mentioned."""
    given(SIGNED).when(taking_back).refused("not-captured")


def test_converted_reversed_and_converted_again_the_last_one_stands() -> None:
    """Interface.md section 5."""
    back = (*ASSIGNED, SIGNED, ENTERED, TAKEN_BACK, STAGE_BACK)
    second = LeadConverted(occurred_at=LATER, amount=Decimal(1), basis=CONTRACT_SIGNED)
    given(*back).when(converting(amount=Decimal(1))).then(second, ENTERED)
    assert lead_of(*back, second).amount == Decimal(1)


def test_a_loss_reported_while_converted_shows_once_the_conversion_is_taken_back() -> None:
    """Interface.md section 4: the four facts are kept apart."""
    lost = LeadInvalidated(occurred_at=LATER, reason="lost")
    assert lead_of(*ASSIGNED, SIGNED, lost, TAKEN_BACK).disposition is Disposition.INVALID


def test_the_credit_belongs_to_the_owner_at_the_conversion() -> None:
    """R92, A22."""
    to_li = LeadReassigned(occurred_at=LATER, owner="li", previous_owner="chen")
    lead = lead_of(*ASSIGNED, SIGNED, to_li)
    assert lead.conversion == Conversion(LATER, CONTRACT_SIGNED, "chen")
    assert lead.owner == "li"
