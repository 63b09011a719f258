"""A lead as JSON: contact details and free text masked, times in the company's zone (A4, R75)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from aggregates.lead.nodes import nodes
from aggregates.lead.state import Conversion, Lead, Suspicion
from aggregates.lead.timers import ESCALATION
from aggregates.privacy import mask_details, mask_field

_encode = msgspec.json.Encoder().encode


def lead_json(
    lead: Lead,
    zone: ZoneInfo,
    others: Mapping[UUID, str | None],
    merged: Iterable[UUID] = (),
) -> bytes:
    """The lead as it is shown to everybody who may see it.

    `others` are the leads that its reader may see, with their codes: any other lead that it names
    has neither id nor code. `merged` are the leads that count under it.
    """
    said = mask_details(lead.profile).get
    at = partial(_local, zone)
    values = {
        "id": lead.id,
        "code": lead.code,
        "external_id": lead.external_id,
        "source_system": lead.source_system,
        "version": lead.version,
        "captured": lead.captured,
        "captured_at": at(lead.captured_at),
        "stage": lead.stage,
        "completeness": lead.completeness,
        "activity": lead.activity,
        "disposition": lead.disposition,
        "screened": lead.screened,
        "pause": lead.pause and _shown("pause", asdict(lead.pause), zone),
        "paused_seconds": lead.paused_seconds,
        **_clocks(lead, zone),
        "owner": said("owner"),
        "team": said("team"),
        "pool": lead.pool,
        "assigned_at": at(lead.assigned_at),
        "assignment": _shown("assignment", lead.explanation, zone) or None,
        "customer": said("customer"),
        "contact": said("contact"),
        "contact_title": said("contact_title"),
        "phone": said("phone"),
        "email": said("email"),
        "source": said("source"),
        "industry": said("industry"),
        "region": said("region"),
        "customer_type": said("customer_type"),
        "campaign": said("campaign"),
        "need": said("need"),
        "level": said("level"),
        "segment": said("segment"),
        "label": _label(lead),
        "missing": mask_field("missing", lead.missing),
        "duplicates": [_suspect(*found, others) for found in lead.suspects.items()],
        "merged_into": lead.merged_into and _other(lead.merged_into, others),
        "attributes": _shown("attributes", lead.attributes, zone),
        "follow_ups": lead.follow_ups,
        "first_attempt_at": at(lead.first_attempt_at),
        "first_response_at": at(lead.first_response_at),
        "conversion": lead.conversion and _conversion(lead, lead.conversion, zone),
        "amount": _value(lead.amount, zone),
        "invalid_reason": mask_field("invalid_reason", lead.invalid_reason),
        "erased_at": at(lead.erased_at),
    }
    if merged:
        values["merged"] = [_other(other, others) for other in merged]
    return _encode(values)


def _clocks(lead: Lead, zone: ZoneInfo) -> dict[str, Any]:
    """What runs for the lead, and what of it is to be done next; while it is paused, nothing is."""
    running = [t for name, t in lead.timers.items() if name != ESCALATION and not lead.pause]
    due = [t.due_at for t in running if t.due_at]
    return {
        "due_at": min(due).astimezone(zone) if due else None,
        "overdue": any(t.overdue for t in running),
        "timers": [
            {
                "name": mask_field("name", name),
                "due_at": _local(zone, t.due_at),
                "overdue": t.overdue,
            }
            for name, t in lead.timers.items()
        ],
    }


def _conversion(lead: Lead, conversion: Conversion, zone: ZoneInfo) -> dict[str, Any]:
    """The conversion with the stages on the way to it (R63)."""
    reached = [asdict(node) for node in nodes(lead, zone)]
    shown: dict[str, Any] = _shown("conversion", asdict(conversion) | {"nodes": reached}, zone)
    return shown


def _label(lead: Lead) -> dict[str, Any]:
    """Whose label it is: a rule's of this version of the policy, or a person's (A6)."""
    policy = lead.label_policy
    return {
        "rule": mask_field("rule", lead.labelled_by),
        "policy_version": policy and policy.version,
        "by_hand": lead.label_overridden,
    }


def _suspect(
    other: UUID, suspicion: Suspicion, others: Mapping[UUID, str | None]
) -> dict[str, Any]:
    return {**_other(other, others), "certain": suspicion.certain, "by": suspicion.by}


def _other(lead: UUID, others: Mapping[UUID, str | None]) -> dict[str, Any]:
    """Another lead, for those who may see it."""
    return {"id": lead if lead in others else None, "code": others.get(lead)}


def _shown(name: str, value: Any, zone: ZoneInfo) -> Any:
    """What people or imports said, masked, in the API's notation."""
    return _value(mask_field(name, value), zone)


def _local(zone: ZoneInfo, at: datetime | None) -> datetime | None:
    return at.astimezone(zone) if at else None


def row_json(row: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Values that are masked already, as a row of a read model is, in the API's notation."""
    return {name: _value(value, zone) for name, value in row.items()}


def _value(value: Any, zone: ZoneInfo) -> Any:
    shown = _NOTATION.get(type(value))
    return shown(value, zone) if shown else value


def _values(values: Iterable[Any], zone: ZoneInfo) -> list[Any]:
    return [_value(value, zone) for value in values]


_NOTATION: Mapping[type, Callable[[Any, ZoneInfo], Any]] = {
    datetime: datetime.astimezone,
    Decimal: lambda amount, _: f"{amount:.2f}",
    dict: row_json,
    list: _values,
}
