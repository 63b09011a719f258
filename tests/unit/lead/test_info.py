"""Completing and correcting a lead: R26-R30, A1, A6, A7."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from aggregates.event import Event
from aggregates.lead.close import invalidate
from aggregates.lead.duplicates import Same
from aggregates.lead.events import (
    DuplicateDismissed,
    DuplicateSuspected,
    InfoChanged,
    InfoCompleted,
    InfoMarkedIncomplete,
    LabelOverridden,
    LeadLabelled,
)
from aggregates.lead.info import complete_info
from aggregates.lead.state import Lead
from aggregates.policy.book import Policies
from tests.unit.lead.given import CAPTURED, HOUR, NOW, Given, given, lead_of
from tests.unit.lead.test_capture import DETAILS, ENTERED, ENTRY, NOBODY, RULES, captured

OTHER = UUID(int=2)
LATER = NOW + HOUR


def completed(
    lead: Lead,
    values: dict[str, Any] | None = None,
    doubted: Sequence[str] = (),
    same: Same = NOBODY,
    policies: Policies = RULES,
) -> Sequence[Event]:
    return complete_info(
        lead, now=LATER, values=values or {}, doubted=doubted, policies=policies, same=same
    )


def entered(**changes: Any) -> Given:
    """A captured lead with other values than usual; None leaves one out."""
    values = {k: v for k, v in {**DETAILS, **changes}.items() if v is not None}
    return given(*captured(lead_of(), replace(ENTRY, details=values)))


def changed(**values: Any) -> InfoChanged:
    return InfoChanged(occurred_at=LATER, details=values)


def incomplete(*missing: str) -> InfoMarkedIncomplete:
    return InfoMarkedIncomplete(occurred_at=LATER, missing=missing, policy=RULES.completeness.ref)


COMPLETE = InfoCompleted(occurred_at=LATER, policy=RULES.completeness.ref)


def test_the_last_missing_value_completes_the_lead() -> None:
    """R27, R28."""
    lead = entered(contact_title=None)
    lead.when(partial(completed, values={"contact_title": "采购总监"})).then(
        changed(contact_title="采购总监"), COMPLETE
    )


def test_one_of_several_missing_values_leaves_it_incomplete() -> None:
    """R26: the flag says what is missing now."""
    lead = entered(contact_title=None, industry=None)
    lead.when(partial(completed, values={"industry": "教育"})).then(
        changed(industry="教育"), incomplete("contact_title")
    )


def test_of_phone_and_email_one_is_enough() -> None:
    """R18."""
    lead = entered(phone=None)
    assert lead_of(*lead.history).missing == ("phone|email",)
    lead.when(partial(completed, values={"email": "a@b.cn"})).then(
        changed(email="a@b.cn"), COMPLETE
    )


def test_a_value_taken_away_is_missing() -> None:
    """R30: null takes a value away."""
    entered().when(partial(completed, values={"contact_title": None})).then(
        changed(contact_title=None), incomplete("contact_title")
    )


def test_the_same_values_again_change_nothing() -> None:
    """A repeated intent."""
    values = {**DETAILS, "region": None}
    entered().when(partial(completed, values=values, same={"phone": [OTHER]})).then()


def test_attributes_change_like_fields() -> None:
    """R30."""
    entered().when(partial(completed, values={"规模": "大型"})).then(changed(规模="大型"))


def test_a_field_that_a_person_doubts_is_missing_until_it_is_changed() -> None:
    """A7: the user may set the flag, and rules do not take it away."""
    lead = entered().when(partial(completed, doubted=["need"])).then(incomplete("need"))
    lead.when(partial(completed, doubted=["need"])).then()
    lead = lead.when(partial(completed, values={"region": "华东"})).then(changed(region="华东"))
    lead.when(partial(completed, values={"need": "需采购50台电脑"})).then(
        changed(need="需采购50台电脑"), COMPLETE
    )


def test_another_need_may_change_the_label() -> None:
    """R23: by the same rules, in the same commit, and only if it is another label."""
    label = LeadLabelled(
        occurred_at=LATER,
        level="medium",
        segment="信息收集",
        rule="informs",
        policy=RULES.labelling.ref,
    )
    entered().when(partial(completed, values={"need": "想了解产品"})).then(
        changed(need="想了解产品"), label
    )
    entered().when(partial(completed, values={"need": "采购打印机"})).then(
        changed(need="采购打印机")
    )


def test_a_label_by_hand_stays() -> None:
    """A6: manual wins until cleared."""
    by_hand = LabelOverridden(occurred_at=NOW, level="low")
    given(*ENTERED, by_hand).when(partial(completed, values={"need": "想了解产品"})).then(
        changed(need="想了解产品")
    )


def test_new_contact_details_may_be_those_of_another_lead() -> None:
    """R2, A1: only what is new is compared."""
    same = {"phone": [OTHER], "customer": [UUID(int=3)]}
    suspicion = DuplicateSuspected(
        occurred_at=LATER, other=OTHER, certain=True, by=("phone",), policy=RULES.duplicates.ref
    )
    values = {"phone": "13887654321", "customer": DETAILS["customer"]}
    lead = entered().when(partial(completed, values=values, same=same))
    known = lead.then(changed(phone="13887654321"), suspicion)
    again = partial(completed, values={"phone": "01065551234"}, same=same)
    known.when(again).then(changed(phone="01065551234"))
    dismissed = DuplicateDismissed(occurred_at=LATER, other=OTHER)
    given(*known.history, dismissed).when(again).then(changed(phone="01065551234"), suspicion)


def test_a_possible_duplicate_may_become_a_certain_one() -> None:
    """A1."""
    possible = DuplicateSuspected(occurred_at=NOW, other=OTHER, certain=False, by=("customer",))
    lead = given(*ENTERED, possible)
    decide = partial(completed, values={"email": "a@b.cn"}, same={"email": [OTHER]})
    events = lead.when(decide).decide(lead_of(*lead.history))
    suspicion = lead_of(*lead.history, *events).suspects[OTHER]
    assert (suspicion.certain, suspicion.by) == (True, ("customer", "email"))


@pytest.mark.parametrize("values", [{}, {"need": "x"}])
def test_who_is_given_up_is_not_completed(values: dict[str, Any]) -> None:
    """R101, A25."""
    given().when(completed).refused("not-captured")
    lost = given(
        *CAPTURED, *invalidate(lead_of(*CAPTURED), now=NOW, reason="r", note=None, reasons=["r"])
    )
    lost.when(partial(completed, values=values)).refused("lead-invalid")
