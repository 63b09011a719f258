"""Winning a lead, and taking that back (R59-R63, A15, A19)."""

from datetime import datetime
from decimal import Decimal

from aggregates.event import Event
from aggregates.lead.events import ConversionReversed, LeadConverted, StageChanged
from aggregates.lead.guards import not_in_the_future, require_captured, require_workable
from aggregates.lead.state import WON, Conversion, Lead
from aggregates.refusal import Refusal


def convert(
    lead: Lead,
    *,
    now: datetime,
    converted_at: datetime | None,
    amount: Decimal | None,
    basis: str,
    accepted_bases: frozenset[str],
) -> list[Event]:
    """Mark the lead 已转化 and enter 成交 in the same commit; once more changes nothing."""
    require_workable(lead)
    at = converted_at or now
    not_in_the_future(at, now, "converted_at")
    if basis not in accepted_bases:
        accepted = ", ".join(sorted(accepted_bases))
        raise Refusal(
            "basis-not-accepted", f"the company counts conversions by: {accepted}", "basis"
        )
    if lead.conversion:
        same = _same(lead.conversion, converted_at, basis) and amount in (None, lead.amount)
        if same:
            return []
        raise Refusal("already-converted", "this lead is converted: reverse the conversion first")
    events: list[Event] = [LeadConverted(occurred_at=at, amount=amount, basis=basis)]
    if lead.stage != WON:
        events.append(StageChanged(occurred_at=at, stage=WON, previous=lead.stage))
    return events


def reverse_conversion(lead: Lead, *, now: datetime, reason: str) -> list[Event]:
    """Take a conversion back; the figures of then stay reproducible. Unconverted: nothing to do."""
    require_captured(lead)
    if not lead.conversion:
        return []
    return [ConversionReversed(occurred_at=now, reason=reason)]


def _same(standing: Conversion, converted_at: datetime | None, basis: str) -> bool:
    return standing.basis == basis and converted_at in (None, standing.at)
