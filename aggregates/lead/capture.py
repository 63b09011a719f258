"""Entering a lead (R15-R22, R72-R81)."""

from datetime import datetime

from aggregates.event import Event
from aggregates.lead.assign import first_assignment
from aggregates.lead.events import Details, LeadCaptured, StageChanged
from aggregates.lead.state import UNASSIGNED, Lead
from aggregates.refusal import Refusal


def capture(lead: Lead, *, now: datetime, code: str, details: Details) -> list[Event]:
    """Record a new lead in stage 待分配; with an owner among the details it is assigned at once."""
    if lead.captured:
        raise Refusal("already-captured", f"this lead is already captured as {lead.code}")
    described = {k: v for k, v in details.items() if k not in ("owner", "team")}
    events: list[Event] = [
        LeadCaptured(occurred_at=now, code=code, details=described),
        StageChanged(occurred_at=now, stage=UNASSIGNED),
    ]
    if owner := details.get("owner"):
        events += first_assignment(now, owner, details.get("team"), UNASSIGNED)
    return events
