"""Giving a lead up and taking it up again (R100, R101, A25)."""

from collections.abc import Collection
from datetime import datetime

from aggregates.event import Event
from aggregates.lead.events import LeadInvalidated, LeadReopened
from aggregates.lead.guards import require_captured, require_unconverted
from aggregates.lead.pause import end_of_pause
from aggregates.lead.state import Lead
from aggregates.refusal import Refusal


def invalidate(
    lead: Lead, *, now: datetime, reason: str, note: str | None, reasons: Collection[str]
) -> list[Event]:
    """Mark the lead invalid, for one of the policy's reasons. An invalid lead stays as it is."""
    require_captured(lead)
    require_unconverted(lead)
    if lead.invalidated:
        return []
    if reason not in reasons:
        known = ", ".join(reasons)
        raise Refusal(
            "unknown-reason", f"the reason is one of {known}: say more in the note", "reason"
        )
    return give_up(lead, now, reason, note)


def give_up(lead: Lead, now: datetime, reason: str | None, note: str | None) -> list[Event]:
    """What makes a lead invalid; it is no longer paused."""
    return [*end_of_pause(lead, now), LeadInvalidated(occurred_at=now, reason=reason, note=note)]


def reopen(lead: Lead, *, now: datetime, reason: str | None) -> list[Event]:
    """Take an invalid lead up again, with the stage and owner it had. An open lead stays so."""
    require_captured(lead)
    if not lead.invalidated:
        return []
    return [LeadReopened(occurred_at=now, reason=reason)]
