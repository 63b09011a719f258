"""Pools: released, seen by those whom they are open to, claimed within limits (A32)."""

from functools import partial

import pytest

from aggregates.lead.assign import hand_over, release
from aggregates.lead.choice import Choice
from aggregates.lead.claim import Claimant, claim
from aggregates.lead.events import (
    LeadClaimed,
    LeadConverted,
    LeadHandedOver,
    LeadInvalidated,
    LeadReleasedToPool,
    StageChanged,
)
from aggregates.lead.state import TO_FOLLOW_UP, UNASSIGNED
from aggregates.policy.ownership import PoolRules
from tests.unit.lead.given import ASSIGNED, CAPTURED, NOW, given, lead_of

OPEN = PoolRules(name="公海", claims_per_day=3, owned_at_most=10)
LI = Claimant("li", "south", claims_today=0, owned=0)
by_li = partial(claim, now=NOW, pool=OPEN, by=LI)
RELEASED = LeadReleasedToPool(occurred_at=NOW, pool="公海", previous_owner="chen", reason="idle")
CLAIMED = LeadClaimed(occurred_at=NOW, owner="li", team="south", pool="公海")
to_pool = partial(release, now=NOW, pool="公海", reason="idle")


def test_a_released_lead_is_nobodys() -> None:
    given(*ASSIGNED).when(to_pool).then(RELEASED).when(to_pool).then()
    lead = lead_of(*ASSIGNED, RELEASED)
    assert (lead.owner, lead.pool) == (None, "公海")
    given(*CAPTURED).when(to_pool).then(
        LeadReleasedToPool(occurred_at=NOW, pool="公海", reason="idle")
    )


def test_a_converted_or_invalid_lead_goes_into_no_pool() -> None:
    """CordysCRM #852: converted leads vanish."""
    given(*ASSIGNED, LeadConverted()).when(to_pool).refused("lead-converted")
    given(*ASSIGNED, LeadInvalidated()).when(to_pool).refused("lead-invalid")


def test_whoever_claims_owns() -> None:
    """The stage that a lead had reached is kept (CordysCRM #2135); one that waited moves on."""
    given(*ASSIGNED, RELEASED).when(by_li).then(CLAIMED).when(by_li).then()
    given(*CAPTURED, RELEASED).when(by_li).then(
        CLAIMED, StageChanged(occurred_at=NOW, stage=TO_FOLLOW_UP, previous=UNASSIGNED)
    )
    lead = lead_of(*ASSIGNED, RELEASED, CLAIMED)
    assert (lead.owner, lead.pool, lead.profile["team"]) == ("li", None, "south")


def test_only_out_of_the_pool_that_it_is_in() -> None:
    """R8: two claim, the later one hears that somebody was faster."""
    given(*ASSIGNED).when(by_li).refused("not-in-pool")
    given(*ASSIGNED, RELEASED, CLAIMED).when(
        partial(by_li, by=Claimant("wu", "south", 0, 0))
    ).refused("not-in-pool")
    elsewhere = LeadReleasedToPool(occurred_at=NOW, pool="other")
    given(*ASSIGNED, elsewhere).when(by_li).refused("not-in-pool")


@pytest.mark.parametrize(
    ("claims_today", "owned", "refused"),
    [(2, 9, None), (3, 0, "claim-limit"), (0, 10, "owned-limit")],
)
def test_limits(claims_today: int, owned: int, refused: str | None) -> None:
    """CO validateDailyPickNum: here the claims are counted, not what is left of them."""
    decide = partial(by_li, by=Claimant("li", "south", claims_today, owned))
    when = given(*ASSIGNED, RELEASED).when(decide)
    when.refused(refused) if refused else when.then(CLAIMED)


to_li = partial(hand_over, now=NOW, choice=Choice({}, "li", "south"), reason="leaves")


def test_a_hand_over_keeps_everything_but_the_owner() -> None:
    """R102; CordysCRM #849: a transfer hides follow-ups and resets the stage."""
    handed = LeadHandedOver(
        occurred_at=NOW, owner="li", team="south", previous_owner="chen", reason="leaves"
    )
    moved = StageChanged(occurred_at=NOW, stage="方案提交")
    given(*ASSIGNED, moved).when(to_li).then(handed).when(to_li).then()
    assert lead_of(*ASSIGNED, moved, handed).stage == "方案提交"


def test_a_hand_over_needs_an_owner_and_somebody_to_take_over() -> None:
    """R8, R103."""
    given(*CAPTURED).when(to_li).refused("not-owned")
    given(*ASSIGNED).when(partial(to_li, choice=Choice({}))).refused("nobody-free")
    given(*ASSIGNED).when(partial(to_li, choice=Choice({"rule": "r"}, pool="公海"))).then(
        LeadReleasedToPool(
            occurred_at=NOW, pool="公海", previous_owner="chen", reason="leaves",
            explanation={"rule": "r"},
        )
    )  # fmt: skip
