"""Entering a lead: R15-R27, R72, R81, A1, A6, A7, and the assignment that may come with it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID

from aggregates.event import Event
from aggregates.lead.capture import Entry, capture
from aggregates.lead.duplicates import Same
from aggregates.lead.events import (
    DuplicateSuspected,
    InfoMarkedIncomplete,
    LabelOverridden,
    LeadAssigned,
    LeadCaptured,
    LeadLabelled,
    StageChanged,
)
from aggregates.lead.state import TO_FOLLOW_UP, UNASSIGNED, Lead
from aggregates.policy.book import Policies
from aggregates.policy.entry import Duplicates
from tests.unit.lead.given import CAPTURED, CODE, HOUR, LEAD, NOW, given, lead_of

OTHER, THIRD = UUID(int=2), UUID(int=3)
RULES = Policies()
NOBODY: Same = {}
DETAILS = {
    "customer": "星辰科技有限公司",
    "contact": "李经理",
    "contact_title": "采购经理",
    "phone": "13912345678",
    "source": "官网注册",
    "industry": "信息技术",
    "need": "需采购办公自动化系统",
}
ENTRY = Entry(code=CODE, details=DETAILS, entered_by="chen")
LABELLED = LeadLabelled(
    occurred_at=NOW, level="high", segment="采购决策", rule="buys", policy=RULES.labelling.ref
)
ENTERED = (
    LeadCaptured(occurred_at=NOW, code=CODE, details=DETAILS, entered_by="chen"),
    StageChanged(occurred_at=NOW, stage=UNASSIGNED),
    LABELLED,
)


def captured(
    lead: Lead, entry: Entry = ENTRY, same: Same = NOBODY, policies: Policies = RULES
) -> Sequence[Event]:
    return capture(lead, now=NOW, entry=entry, policies=policies, same=same)


def suspected(other: UUID, *by: str, certain: bool = True) -> DuplicateSuspected:
    ref = RULES.duplicates.ref
    return DuplicateSuspected(occurred_at=NOW, other=other, certain=certain, by=by, policy=ref)


def test_a_new_lead_is_labelled_and_waits_for_assignment() -> None:
    """R15, R16-R23, R72, R81, A8; decision 11: all of it in the same commit."""
    given().when(captured).then(*ENTERED)


def test_what_is_missing_makes_it_incomplete() -> None:
    """R26, R27, A7: a flag, which names the fields and cites the rules."""
    entry = replace(ENTRY, details={"customer": "星辰科技", "source": "官网注册"})
    lacking = ("contact", "contact_title", "industry", "need", "phone|email")
    after = given().when(partial(captured, entry=entry))
    events = after.decide(lead_of())
    assert events[2] == InfoMarkedIncomplete(
        occurred_at=NOW, missing=lacking, policy=RULES.completeness.ref
    )
    assert lead_of(*events).completeness == "incomplete"


def test_a_person_may_mark_it_incomplete_too() -> None:
    """R26, A7: 勾选“待补充”."""
    events = captured(lead_of(), replace(ENTRY, doubted=("need",)))
    assert lead_of(*events).missing == ("need",)


def test_without_a_match_it_is_unrated() -> None:
    """A5: no rule, and still the version that found none."""
    entry = replace(ENTRY, details={**DETAILS, "need": "办公电脑", "source": "电话咨询"})
    assert captured(lead_of(), entry)[-1] == LeadLabelled(
        occurred_at=NOW, level="unrated", policy=RULES.labelling.ref
    )


def test_a_label_given_at_the_entry_is_one_by_hand() -> None:
    """R25, R79, A6."""
    entry = replace(ENTRY, level="low", segment="潜在需求")
    override = LabelOverridden(occurred_at=NOW, level="low", segment="潜在需求")
    given().when(partial(captured, entry=entry)).then(*ENTERED[:2], override)


def test_an_owner_is_assigned_at_once() -> None:
    """R7, R8: the owner is said once, by the assignment."""
    entry = replace(ENTRY, owner="chen", team="east")
    given().when(partial(captured, entry=entry)).then(
        *ENTERED,
        LeadAssigned(occurred_at=NOW, owner="chen", team="east"),
        StageChanged(occurred_at=NOW, stage=TO_FOLLOW_UP, previous=UNASSIGNED),
    )


def test_leads_with_the_same_contact_details_are_suspected_at_once() -> None:
    """R2, A1, decision 10: certain by phone or e-mail, possible by name; never refused."""
    same = {"phone": [THIRD], "email": [OTHER, THIRD], "customer": [UUID(int=4), OTHER]}
    given().when(partial(captured, same=same)).then(
        *ENTERED,
        suspected(THIRD, "phone", "email"),
        suspected(OTHER, "email", "customer"),
        suspected(UUID(int=4), "customer", certain=False),
    )


def test_certain_duplicates_are_named_before_possible_ones_and_not_too_many() -> None:
    """Limits on everything: a name that hundreds share makes ten suspicions."""
    same = {"customer": [UUID(int=n) for n in range(10, 40)], "phone": [OTHER]}
    events = captured(lead_of(), ENTRY, same)[3:]
    assert events[0] == suspected(OTHER, "phone")
    assert events[1] == suspected(UUID(int=10), "customer", certain=False)
    assert len(events) == 10


def test_the_policy_says_what_is_compared() -> None:
    """A1: a company may leave names out."""
    only_phones = RULES.with_version(
        Duplicates(certain=("phone",), possible=()), RULES.duplicates.ref
    )
    same = {"phone": [OTHER], "email": [THIRD], "customer": [THIRD]}
    decide = partial(captured, same=same, policies=only_phones)
    given().when(decide).then(*ENTERED, suspected(OTHER, "phone"))


def test_a_lead_is_no_duplicate_of_itself() -> None:
    """An import may have claimed its phone number for it."""
    given().when(partial(captured, same={"phone": [LEAD]})).then(*ENTERED)


def test_a_lead_is_captured_once() -> None:
    """R72: the code is unique and stays."""
    given(*CAPTURED).when(captured).refused("already-captured")


def test_owner_and_stage_of_imported_facts_stay() -> None:
    """Nothing goes backward because a lead that had a past is captured late."""
    past = (
        LeadAssigned(occurred_at=NOW - HOUR, owner="li"),
        StageChanged(occurred_at=NOW - HOUR, stage="Engaging"),
    )
    entry = replace(ENTRY, owner="chen")
    given(*past).when(partial(captured, entry=entry)).then(ENTERED[0], LABELLED)
    given(past[0]).when(captured).then(
        ENTERED[0], StageChanged(occurred_at=NOW, stage=TO_FOLLOW_UP), LABELLED
    )
    given(past[1]).when(partial(captured, entry=entry)).then(
        ENTERED[0], LABELLED, LeadAssigned(occurred_at=NOW, owner="chen")
    )


def test_values_of_imported_facts_count_for_completeness() -> None:
    """R26: what a fact before the capture said is not missing."""
    past = LeadAssigned(occurred_at=None, owner="li", details={"contact_title": "总监"})
    entry = replace(ENTRY, details={k: v for k, v in DETAILS.items() if k != "contact_title"})
    events = captured(lead_of(past), entry)
    assert not any(isinstance(event, InfoMarkedIncomplete) for event in events)


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
