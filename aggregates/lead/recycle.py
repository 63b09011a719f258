"""A lead that its owner lets lie returns to the pool, if the pool policy says so (A32)."""

from dataclasses import asdict
from datetime import datetime, timedelta

from aggregates.event import Event
from aggregates.lead.assign import release
from aggregates.lead.state import Lead
from aggregates.policy.book import InForce
from aggregates.policy.ownership import Pools

NOT_FOLLOWED_UP = "not followed up"


def recycle(lead: Lead, *, at: datetime, rules: InForce[Pools]) -> list[Event]:
    """Release the lead at `at` if it was quiet for the policy's days by then.

    It returns to the pool that its owner claimed it from, else to the first one.
    """
    if not lead.owner or not is_idle(lead, at, rules.rules):
        return []
    pool = rules.rules.find(lead.claimed_from or "") or rules.rules.pools[0]
    quiet_since = lead.effort.quiet_since
    assert quiet_since is not None
    why = {"policy": asdict(rules.ref), "quiet_since": quiet_since.isoformat()}
    return release(lead, now=at, pool=pool.name, reason=NOT_FOLLOWED_UP, explanation=why)


def is_idle(lead: Lead, at: datetime, rules: Pools) -> bool:
    """Whether an open, unpaused lead was quiet for so many days, of 24 hours each, by `at`."""
    if not (rules.recycle_after_days and rules.pools):
        return False
    quiet_since = lead.effort.quiet_since
    is_open = lead.captured and lead.unfinished
    idle = timedelta(days=rules.recycle_after_days)
    return bool(is_open and not lead.pause and quiet_since and quiet_since + idle <= at)
