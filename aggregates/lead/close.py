"""Giving a lead up and taking it up again (R100, R101, A25)."""

from datetime import datetime

from aggregates.event import Event
from aggregates.lead.events import LeadInvalidated, LeadReopened
from aggregates.lead.guards import require_captured, require_unconverted
from aggregates.lead.state import Lead


def invalidate(lead: Lead, *, now: datetime, reason: str, note: str | None) -> list[Event]:
    """Mark the lead invalid, for a reason. An invalid lead stays as it is."""
    require_captured(lead)
    require_unconverted(lead)
    if lead.invalidated:
        return []
    return [LeadInvalidated(occurred_at=now, reason=reason, note=note)]


def reopen(lead: Lead, *, now: datetime, reason: str | None) -> list[Event]:
    """Take an invalid lead up again. An open lead stays as it is."""
    require_captured(lead)
    if not lead.invalidated:
        return []
    return [LeadReopened(occurred_at=now, reason=reason)]
