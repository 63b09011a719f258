"""Conversions: table 3 of the brief, with the channel's rate as known at each one (R91-R98, A24).

The rate at conversion is by position in the log, this conversion included: of the leads captured
from the channel so far, how many stood converted. It needs running totals per channel, so this
projection is not keyed by lead alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from aggregates.event import Event, Recorded
from aggregates.lead import events as e
from aggregates.privacy import mask_field
from projections.base import Projection, Table, View, WorkingSet

NO_CHANNEL = "(missing)"


@dataclass(slots=True)
class ConversionRow:
    """What a lead's conversion needs; a standing conversion has `converted` true.

    `channel_leads` and `channel_converted` are the rate's denominator and numerator as they were
    known at the conversion.
    """

    lead: UUID
    captured: bool = False
    merged: bool = False
    source: str | None = None
    owner: str | None = None
    converted: bool = False
    converted_at: datetime | None = None
    converted_position: int | None = None
    owner_at_conversion: str | None = None
    basis: str | None = None
    amount: Decimal | None = None
    channel_leads: int | None = None
    channel_converted: int | None = None


@dataclass(slots=True)
class ChannelRow:
    """A channel's totals: captured leads, and how many of them stand converted."""

    source: str
    leads: int = 0
    converted: int = 0


CONVERSIONS = Table("conversions", ConversionRow, key=("lead",))
CHANNELS = Table("channels", ChannelRow, key=("source",), whole=True)

EVENTS: tuple[type[Event], ...] = (
    e.LeadCaptured, e.InfoChanged, e.LeadsMerged, e.MergeUndone,
    e.LeadAssigned, e.LeadReassigned, e.LeadHandedOver, e.LeadReleasedToPool, e.LeadClaimed,
    e.LeadConverted, e.ConversionReversed,
)  # fmt: skip


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """Keep each lead's conversion and the channels' totals in step, event by event."""
    rows, channels = working.rows(CONVERSIONS), working.rows(CHANNELS)
    for recorded in batch:
        row = rows.get(recorded.stream) or ConversionRow(recorded.stream)
        rows[recorded.stream] = row
        _count(channels, row, -1)
        _change(row, recorded)
        _count(channels, row, +1)
        if isinstance(recorded.event, e.LeadConverted) and _counts(row):
            channel = channels[row.source or NO_CHANNEL]
            row.channel_leads, row.channel_converted = channel.leads, channel.converted


def _counts(row: ConversionRow) -> bool:
    return row.captured and not row.merged


def _count(channels: dict[str, ChannelRow], row: ConversionRow, by: int) -> None:
    if _counts(row):
        name = row.source or NO_CHANNEL
        channel = channels.get(name) or ChannelRow(name)
        channels[name] = channel
        channel.leads += by
        channel.converted += by * row.converted


def _change(row: ConversionRow, recorded: Recorded) -> None:
    match recorded.event:
        case e.LeadCaptured(details=details):
            row.captured = True
            _take_over(row, details)
        case e.LeadAssigned(owner=owner, details=details):
            _take_over(row, details)
            row.owner = owner or row.owner
        case e.InfoChanged(details=details):
            _take_over(row, details)
        case e.LeadsMerged():
            row.merged = True
        case e.MergeUndone():
            row.merged = False
        case e.LeadReassigned(owner=owner) | e.LeadHandedOver(owner=owner):
            row.owner = owner
        case e.LeadClaimed(owner=owner):
            row.owner = owner
        case e.LeadReleasedToPool():
            row.owner = None
        case e.LeadConverted() as event:
            _take_over(row, event.details)
            row.converted, row.converted_at = True, event.occurred_at
            row.converted_position = recorded.position
            row.owner_at_conversion = row.owner
            row.basis = mask_field("basis", event.basis)
            row.amount = row.amount if event.amount is None else event.amount
        case e.ConversionReversed():
            row.converted, row.converted_at, row.converted_position = False, None, None
            row.owner_at_conversion = row.basis = row.amount = None
            row.channel_leads = row.channel_converted = None


def _take_over(row: ConversionRow, details: e.Details) -> None:
    if "source" in details:
        row.source = details["source"]
    if "owner" in details:
        row.owner = details["owner"]


VIEW = View(
    name="conversions",
    comment="Standing conversions (table 3), one row each.",
    query=(
        "SELECT c.lead, c.owner_at_conversion AS owner, c.converted_at, c.source, c.amount,"
        " c.basis, round(c.channel_converted::numeric / nullif(c.channel_leads, 0), 6)"
        " AS rate_at_conversion,"
        " c.channel_converted, c.channel_leads,"
        " round(t.converted::numeric / nullif(t.leads, 0), 6) AS rate_now,"
        " c.converted_position AS position"
        " FROM {rows} c"
        f" JOIN {{schema}}.channels t ON t.source = coalesce(nullif(c.source, ''), '{NO_CHANNEL}')"
        " WHERE c.converted AND c.captured AND NOT c.merged"
    ),
    scoped="conversions",
    columns={
        "lead": "Stream id of the lead.",
        "owner": "The person responsible at the conversion.",
        "converted_at": "Signing or first order; null = unknown.",
        "amount": "Deal amount in the company currency.",
        "rate_at_conversion": "The channel's rate as known at the conversion, this one included.",
        "channel_converted": "Its numerator.",
        "channel_leads": "Its denominator.",
        "rate_now": "The channel's rate now.",
        "position": "Log position of the conversion.",
    },
)

PROJECTION = Projection("conversions", 3, EVENTS, (CONVERSIONS, CHANNELS), fold, (VIEW,))
