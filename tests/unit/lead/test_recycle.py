"""Idle leads return to the pool, if the policy says so: R103, A32."""

from datetime import timedelta
from functools import partial

import pytest

from aggregates.event import Event, PolicyRef
from aggregates.lead.events import (
    FollowUpRecorded,
    LeadClaimed,
    LeadInvalidated,
    LeadPaused,
    LeadReleasedToPool,
)
from aggregates.lead.recycle import NOT_FOLLOWED_UP, recycle
from aggregates.policy.book import InForce
from aggregates.policy.ownership import PoolRules, Pools
from tests.unit.lead.given import ASSIGNED, CAPTURED, HOUR, NOW, given

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
REF = PolicyRef("pool", 2, "ab")
POOLS = (PoolRules(name="公海"), PoolRules(name="华东公海"))
RULES = InForce(Pools(pools=POOLS, recycle_after_days=30), REF)
DUE = NOW + 30 * DAY
idle = partial(recycle, at=DUE, rules=RULES)


def released(pool: str = "公海", owner: str = "chen") -> Event:
    policy = {"kind": "pool", "version": 2, "hash": "ab"}
    return LeadReleasedToPool(
        occurred_at=DUE,
        pool=pool,
        previous_owner=owner,
        reason=NOT_FOLLOWED_UP,
        explanation={"policy": policy, "quiet_since": NOW.isoformat()},
    )


def test_a_lead_returns_after_its_days() -> None:
    """A32: one second before not, at the instant it does, and once."""
    given(*ASSIGNED).when(partial(idle, at=DUE - SECOND)).then()
    given(*ASSIGNED).when(idle).then(released()).when(idle).then()


def test_a_follow_up_counts_whether_or_not_it_reached_anybody() -> None:
    """A32: the owner works on the lead."""
    tried = FollowUpRecorded(occurred_at=NOW + HOUR, code="GJ20240501001", connected=False)
    given(*ASSIGNED, tried).when(idle).then()


def test_it_returns_to_where_it_was_claimed_from() -> None:
    """A32: to the first pool, if that one is gone."""
    for name, pool in (("华东公海", "华东公海"), ("旧公海", "公海")):
        claimed = (
            LeadReleasedToPool(occurred_at=NOW, pool=name),
            LeadClaimed(occurred_at=NOW, owner="li", pool=name),
        )
        given(*CAPTURED, *claimed).when(idle).then(released(pool, "li"))


@pytest.mark.parametrize(
    "event",
    [
        LeadPaused(occurred_at=NOW, reason="预算"),
        LeadInvalidated(occurred_at=NOW, reason="其他"),
        LeadReleasedToPool(occurred_at=NOW, pool="华东公海"),
    ],
    ids=["paused", "invalid", "pooled"],
)
def test_what_nobody_is_to_work_on_does_not_return(event: Event) -> None:
    """A26, A32: paused, given up, or without an owner."""
    given(*ASSIGNED, event).when(idle).then()


def test_it_is_off_unless_the_policy_says_so() -> None:
    """A32: no days, no pool: no lead returns."""
    for pools in (Pools(pools=POOLS), Pools(pools=(), recycle_after_days=30)):
        given(*ASSIGNED).when(partial(idle, rules=InForce(pools, REF))).then()
