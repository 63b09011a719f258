"""Winning a lead, and taking that back (R59-R63, A15, A19)."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from aggregates.event import Event
from aggregates.lead.events import ConversionReversed, LeadConverted
from aggregates.lead.guards import not_in_the_future, require_captured, require_workable
from aggregates.lead.pause import end_of_pause
from aggregates.lead.stage import enter
from aggregates.lead.state import WON, Conversion, Lead
from aggregates.policy.work import ConversionRules
from aggregates.refusal import Refusal
from aggregates.values import local_time


def convert(
    lead: Lead,
    *,
    now: datetime,
    zone: ZoneInfo,
    converted_at: datetime | None,
    amount: Decimal | None,
    basis: str,
    rules: ConversionRules,
) -> list[Event]:
    """Mark the lead 已转化, enter 成交 and end a pause in the same commit.

    Once more, in fewer words or the same, it changes nothing.
    """
    require_workable(lead)
    at = converted_at or now
    not_in_the_future(at, now, "converted_at")
    if basis not in rules.bases:
        accepted = ", ".join(rules.bases)
        raise Refusal(
            "basis-not-accepted", f"the company counts conversions by: {accepted}", "basis"
        )
    if lead.conversion:
        same = _same(lead.conversion, converted_at, basis) and amount in (None, lead.amount)
        if same:
            return []
        raise Refusal("already-converted", "this lead is converted: reverse the conversion first")
    _require_after_capture(lead, converted_at, zone)
    if rules.amount_required and amount is None:
        raise Refusal("amount-required", "say for how much the contract was signed", "amount")
    events: list[Event] = [LeadConverted(occurred_at=at, amount=amount, basis=basis)]
    if lead.stage != WON:
        events.append(enter(lead, WON, at))
    return [*end_of_pause(lead, now), *events]


def reverse_conversion(lead: Lead, *, now: datetime, reason: str) -> list[Event]:
    """Take a conversion back, and the lead to the stage before 成交, where that is known.

    The figures of then stay reproducible. An unconverted lead stays as it is.
    """
    require_captured(lead)
    if not lead.conversion:
        return []
    events: list[Event] = [ConversionReversed(occurred_at=now, reason=reason)]
    if lead.stage == WON and lead.won_from:
        events.append(enter(lead, lead.won_from, now))
    return events


def _require_after_capture(lead: Lead, converted_at: datetime | None, zone: ZoneInfo) -> None:
    """A file may say otherwise, and is counted so; whoever enters it by hand has mistyped it."""
    if converted_at and lead.captured_at and converted_at < lead.captured_at:
        captured = local_time(lead.captured_at, zone)
        raise Refusal(
            "before-capture",
            f"no contract is signed before the lead is captured ({captured})",
            "converted_at",
        )


def _same(standing: Conversion, converted_at: datetime | None, basis: str) -> bool:
    return standing.basis == basis and converted_at in (None, standing.at)
