"""One named person responsible, never two, never nobody (R7, R8, R31)."""

from datetime import datetime

from aggregates.event import Event
from aggregates.lead.events import LeadAssigned, LeadReassigned, StageChanged
from aggregates.lead.guards import require_workable
from aggregates.lead.state import TO_FOLLOW_UP, UNASSIGNED, Lead


def assign(
    lead: Lead, *, now: datetime, owner: str, team: str | None, reason: str | None
) -> list[Event]:
    """Give the lead to `owner`. The same owner and team again change nothing."""
    require_workable(lead)
    if not lead.owner:
        return first_assignment(now, owner, team, lead.stage)
    if lead.owner == owner and lead.profile.get("team") == team:
        return []
    return [
        LeadReassigned(
            occurred_at=now, owner=owner, team=team, previous_owner=lead.owner, reason=reason
        )
    ]


def first_assignment(now: datetime, owner: str, team: str | None, stage: str | None) -> list[Event]:
    """The first owner moves a waiting lead to 待跟进 in the same commit."""
    events: list[Event] = [LeadAssigned(occurred_at=now, owner=owner, team=team)]
    if stage in (UNASSIGNED, None):
        events.append(StageChanged(occurred_at=now, stage=TO_FOLLOW_UP, previous=stage))
    return events
