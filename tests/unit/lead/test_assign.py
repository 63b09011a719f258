"""One named person responsible: R7, R8, R31, A31."""

from functools import partial

from aggregates.lead.assign import assign
from aggregates.lead.events import (
    LeadAssigned,
    LeadConverted,
    LeadInvalidated,
    LeadReassigned,
    LeadTeamChanged,
    StageChanged,
)
from aggregates.lead.state import TO_FOLLOW_UP, UNASSIGNED
from tests.unit.lead.given import ASSIGNED, CAPTURED, HOUR, NOW, given, lead_of

LATER = NOW + HOUR
to_chen = partial(assign, now=LATER, owner="chen", team="east", reason=None)
to_li = partial(assign, now=LATER, owner="li", team="south", reason="outing")


def test_the_first_owner_moves_a_waiting_lead_on() -> None:
    """R7, R31, R35; decision 11: 待跟进 in the commit of the assignment."""
    given(*CAPTURED).when(to_chen).then(
        LeadAssigned(occurred_at=LATER, owner="chen", team="east"),
        StageChanged(occurred_at=LATER, stage=TO_FOLLOW_UP, previous=UNASSIGNED),
    )


def test_the_first_owner_of_a_lead_in_another_stage_leaves_the_stage_alone() -> None:
    """A15: only a lead that waits for assignment starts to wait for follow-up."""
    moved = StageChanged(occurred_at=NOW, stage="需求确认")
    given(*CAPTURED, moved).when(to_chen).then(
        LeadAssigned(occurred_at=LATER, owner="chen", team="east")
    )


def test_another_owner_takes_over() -> None:
    """R8, A31: never two owners; the event names both."""
    given(*ASSIGNED).when(to_li).then(
        LeadReassigned(
            occurred_at=LATER, owner="li", team="south", previous_owner="chen", reason="outing"
        )
    )


def test_the_same_owner_and_team_again_change_nothing() -> None:
    """R8: a repeated intent records nothing."""
    given(*ASSIGNED).when(to_chen).then()
    given(*ASSIGNED).when(to_li).then(
        LeadReassigned(
            occurred_at=LATER, owner="li", team="south", previous_owner="chen", reason="outing"
        )
    ).when(to_li).then()


def test_another_team_of_the_same_owner_starts_no_clock() -> None:
    """R32, A31: the team counts, and the owner has had the lead all along."""
    to_west = partial(assign, now=LATER, owner="chen", team="west", reason=None)
    changed = LeadTeamChanged(occurred_at=LATER, team="west", previous_team="east")
    given(*ASSIGNED).when(to_west).then(changed).when(to_west).then()
    assert lead_of(*ASSIGNED, changed).assigned_at == lead_of(*ASSIGNED).assigned_at


def test_no_team_leaves_the_same_owners_team_as_it_is() -> None:
    given(*ASSIGNED).when(partial(assign, now=LATER, owner="chen", team=None, reason=None)).then()


def test_the_first_assignment_keeps_its_reason() -> None:
    """R7: why somebody was given the lead is not lost."""
    given(*CAPTURED).when(to_li).then(
        LeadAssigned(occurred_at=LATER, owner="li", team="south", reason="outing"),
        StageChanged(occurred_at=LATER, stage=TO_FOLLOW_UP, previous=UNASSIGNED),
    )


def test_a_converted_lead_may_still_be_handed_over() -> None:
    """R102: a leaver's customers too; the credit stays where the conversion put it (A22)."""
    given(*ASSIGNED, LeadConverted(occurred_at=NOW)).when(to_li).then(
        LeadReassigned(
            occurred_at=LATER, owner="li", team="south", previous_owner="chen", reason="outing"
        )
    )


def test_a_loss_after_the_conversion_does_not_stop_the_hand_over() -> None:
    """Interface.md section 4: that lead is converted, not invalid."""
    lost = (LeadConverted(occurred_at=NOW), LeadInvalidated(reason="lost"))
    given(*CAPTURED, *lost).when(to_chen).then(
        LeadAssigned(occurred_at=LATER, owner="chen", team="east"),
        StageChanged(occurred_at=LATER, stage=TO_FOLLOW_UP, previous=UNASSIGNED),
    )


def test_refused_before_the_capture() -> None:
    """R7: what nobody entered cannot be assigned."""
    given().when(to_chen).refused("not-captured")
    given(StageChanged(stage="Negotiation")).when(to_chen).refused("not-captured")


def test_refused_on_an_invalid_lead() -> None:
    """A25: reopen first."""
    given(*ASSIGNED, LeadInvalidated(reason="refused")).when(to_li).refused("lead-invalid")
