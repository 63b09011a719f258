"""Taking a lead out of a pool, first come, first served, within what a pool allows (A32)."""

from dataclasses import dataclass
from datetime import datetime

from aggregates.event import Event
from aggregates.lead.events import LeadClaimed, StageChanged
from aggregates.lead.guards import require_workable
from aggregates.lead.state import TO_FOLLOW_UP, UNASSIGNED, Lead
from aggregates.policy.ownership import PoolRules
from aggregates.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: their claims from this pool today, and the open leads that they own, paused
    ones included.
    """

    name: str
    team: str | None
    claims_today: int
    owned: int


def claim(lead: Lead, *, now: datetime, pool: PoolRules, by: Claimant) -> list[Event]:
    """Own the lead from now on. Whoever has just claimed it may say so again.

    For whom the pool is there at all is for their scope to say.
    """
    require_workable(lead)
    if lead.owner == by.name:
        return []
    if lead.pool != pool.name:
        where = f"is in pool {lead.pool}" if lead.pool else "is in no pool: somebody was faster"
        raise Refusal("not-in-pool", f"this lead {where}")
    if by.claims_today >= pool.claims_per_day:
        raise Refusal(
            "claim-limit", f"you have claimed {by.claims_today} leads from {pool.name} today"
        )
    if by.owned >= pool.owned_at_most:
        raise Refusal("owned-limit", f"you own {by.owned} open leads: that is as many as one may")
    events: list[Event] = [
        LeadClaimed(occurred_at=now, owner=by.name, team=by.team, pool=pool.name)
    ]
    if lead.stage in (UNASSIGNED, None):
        events.append(StageChanged(occurred_at=now, stage=TO_FOLLOW_UP, previous=lead.stage))
    return events
