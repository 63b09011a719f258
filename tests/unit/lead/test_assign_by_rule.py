"""The rules' choice carried out on a lead as it is by then: R8, R31, A7, A28, decision 11."""

from dataclasses import replace
from functools import partial

import pytest

from aggregates.event import Event
from aggregates.lead import events as e
from aggregates.lead.assign import assign_by_rule, awaits_assignment
from aggregates.lead.choice import Choice
from aggregates.lead.state import TO_FOLLOW_UP, UNASSIGNED
from aggregates.policy.book import InForce, Policies, cite
from aggregates.policy.entry import Completeness, Screening
from aggregates.policy.ownership import Assignment
from tests.unit.lead.given import ASSIGNED, CAPTURED, CODE, LEAD, NOW, given, lead_of

WHY = {"rule": "east"}
TO_CHEN = Choice(WHY, owner="chen", team="east")
by_rule = partial(assign_by_rule, now=NOW, policies=Policies())
to_chen = partial(by_rule, choice=TO_CHEN)
FROM_FORM = (e.LeadCaptured(code=CODE, details={"source": "form"}), *CAPTURED[1:])


def in_force(kind: str, rules: object) -> Policies:
    return replace(Policies(), **{kind: InForce(rules, cite(kind, 2, rules))})


def test_the_explanation_stands_on_the_event() -> None:
    """R43: recorded, and readable as long as the lead is theirs."""
    given(*CAPTURED).when(to_chen).then(
        e.LeadAssigned(occurred_at=NOW, owner="chen", team="east", explanation=WHY),
        e.StageChanged(occurred_at=NOW, stage=TO_FOLLOW_UP, previous=UNASSIGNED),
    ).when(to_chen).then()


def test_a_pool() -> None:
    to_pool = partial(by_rule, choice=Choice(WHY, pool="公海"))
    given(*CAPTURED).when(to_pool).then(
        e.LeadReleasedToPool(occurred_at=NOW, pool="公海", explanation=WHY)
    ).when(to_pool).then()


def test_nobody_is_recorded_once() -> None:
    """R8, odoo #115893: visible, not repeated, and never in the way of the next try."""
    to_nobody = partial(by_rule, choice=Choice(WHY))
    failed = e.AssignmentFailed(occurred_at=NOW, reason="nobody is free", explanation=WHY)
    tried = given(*CAPTURED).when(to_nobody).then(failed)
    tried.when(to_nobody).then()
    tried.when(to_chen).then(
        e.LeadAssigned(occurred_at=NOW, owner="chen", team="east", explanation=WHY),
        e.StageChanged(occurred_at=NOW, stage=TO_FOLLOW_UP, previous=UNASSIGNED),
    )


@pytest.mark.parametrize(
    "history",
    [
        (),
        ASSIGNED,
        (*CAPTURED, e.LeadReleasedToPool(pool="公海")),
        (*CAPTURED, e.LeadInvalidated()),
        (*CAPTURED, e.LeadsMerged(into=LEAD)),
        (*CAPTURED, e.LeadConverted()),
        (*CAPTURED, e.LeadPaused(occurred_at=NOW, reason="later")),
        (*CAPTURED, e.LeadScreened(accepted=False, reason="无需求")),
    ],
    ids=["unknown", "owned", "pooled", "invalid", "merged", "converted", "paused", "rejected"],
)
def test_a_lead_that_awaits_nobody_is_left_alone(history: tuple[Event, ...]) -> None:
    """R8: never two owners, whatever happened since the choice was made."""
    given(*history).when(to_chen).then()


def test_screened_sources_wait_for_marketing() -> None:
    """R118, A28, decision 4: acceptance triggers assignment."""
    policies = in_force("screening", Screening(sources=("form",)))
    assert not awaits_assignment(lead_of(*FROM_FORM), policies)
    assert awaits_assignment(lead_of(*CAPTURED), policies)
    assert awaits_assignment(lead_of(*FROM_FORM, e.LeadScreened(accepted=True)), policies)
    assert not awaits_assignment(lead_of(*FROM_FORM, e.LeadScreened(accepted=False)), policies)


def test_incomplete_leads_wait_only_where_the_policy_says_so() -> None:
    """A7: 待补充 does not block assignment (policy switch)."""
    lead = lead_of(*CAPTURED, e.InfoMarkedIncomplete(missing=("need",)))
    assert awaits_assignment(lead, Policies())
    blocking = in_force("completeness", Completeness(blocks_assignment=True))
    assert not awaits_assignment(lead, blocking)
    completed = lead_of(*CAPTURED, e.InfoMarkedIncomplete(missing=("need",)), e.InfoCompleted())
    assert awaits_assignment(completed, blocking)


def test_a_company_may_assign_by_hand() -> None:
    by_hand = in_force("assignment", Assignment(automatic=False))
    assert not awaits_assignment(lead_of(*CAPTURED), by_hand)
