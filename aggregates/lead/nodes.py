"""Key conversion nodes: how long before the signing a stage was entered (R63, golden case 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from aggregates.lead.state import WON, Lead
from aggregates.values import local_date


@dataclass(frozen=True, slots=True)
class Node:
    """An entry into a stage (UTC), the calendar days from then to the signing, and its text."""

    stage: str
    entered_at: datetime
    days_before_signing: int
    text: str


def nodes(lead: Lead, zone: ZoneInfo) -> Sequence[Node]:
    """The stages on the way to the standing conversion, in order of time.

    None while a lead is not converted, or at an unknown time.
    """
    signed = lead.conversion and lead.conversion.at
    if not signed:
        return []
    before = [(at, stage) for stage, at in lead.entries if at and at <= signed and stage != WON]
    before.sort(key=lambda entry: entry[0])
    return [_node(stage, at, signed, zone) for at, stage in before]


def _node(stage: str, at: datetime, signed: datetime, zone: ZoneInfo) -> Node:
    """Days are calendar days of the company's zone (A20)."""
    days = (local_date(signed, zone) - local_date(at, zone)).days
    return Node(stage, at, days, f"{stage}后第{days}天签约")
