"""An event as it is told outside: the one exit of histories, the change feed and webhooks.

Masked, other leads named to those alone who may see them, times in the company's zone.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from aggregates.event import Meta
from aggregates.lead.replay import Told, says
from aggregates.lead.wording import Others, who


def event_json(told: Told, zone: ZoneInfo, others: Others) -> dict[str, Any]:
    """An event at its place in the log, who caused it, and what it says, ready for JSON."""
    recorded = told.recorded
    values = {
        "position": recorded.position,
        "version": recorded.version,
        "topic": told.topic,
        "occurred_at": recorded.event.occurred_at,
        "recorded_at": recorded.recorded_at,
        **caused(told.meta),
        "erased": told.erased,
        "data": says(recorded.event, others),
    }
    return {name: plain(value, zone) for name, value in values.items()}


def caused(meta: Meta) -> dict[str, Any]:
    """Who caused an event, and by which command."""
    return {
        "actor": meta.actor,
        "who": who(meta.actor),
        "command_id": meta.command_id,
        "correlation_id": meta.correlation_id or meta.command_id,
        "causation_id": meta.causation_id or meta.command_id,
    }


def plain(value: Any, zone: ZoneInfo) -> Any:
    """A value, masked already, as a JSON encoder writes it down like any other of ours."""
    if isinstance(value, datetime):
        return value.astimezone(zone)
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name), zone) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(inner, zone) for name, inner in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [plain(inner, zone) for inner in value]
    return value
