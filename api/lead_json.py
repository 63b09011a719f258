"""A lead as JSON: contact details and free text masked, times in the company's zone (A4, R75)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from types import NoneType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from aggregates.lead.nodes import nodes
from aggregates.lead.state import Activity, Completeness, Conversion, Disposition, Lead, Suspicion
from aggregates.lead.timers import ESCALATION
from aggregates.privacy import CLEAR, mask_field

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
    profile = lead.profile.get
    values = {
        "id": lead.id,
        "code": lead.code,
        "external_id": lead.external_id,
        "source_system": lead.source_system,
        "version": lead.version,
        "captured": lead.captured,
        "captured_at": lead.captured_at,
        "stage": lead.stage,
        "completeness": lead.completeness,
        "activity": lead.activity,
        "disposition": lead.disposition,
        "screened": lead.screened,
        "pause": lead.pause and asdict(lead.pause),
        "paused_seconds": lead.paused_seconds,
        **_clocks(lead),
        "owner": lead.owner,
        "team": profile("team"),
        "pool": lead.pool,
        "assigned_at": lead.assigned_at,
        "assignment": lead.explanation or None,
        "customer": profile("customer"),
        "contact": profile("contact"),
        "contact_title": profile("contact_title"),
        "phone": profile("phone"),
        "email": profile("email"),
        "source": profile("source"),
        "industry": profile("industry"),
        "region": profile("region"),
        "customer_type": profile("customer_type"),
        "campaign": profile("campaign"),
        "need": profile("need"),
        "level": profile("level"),
        "segment": profile("segment"),
        "label": _label(lead),
        "missing": lead.missing,
        "duplicates": [_suspect(*found, others) for found in lead.suspects.items()],
        "merged_into": lead.merged_into and _other(lead.merged_into, others),
        "attributes": lead.attributes,
        "follow_ups": lead.follow_ups,
        "first_attempt_at": lead.first_attempt_at,
        "first_response_at": lead.first_response_at,
        "conversion": lead.conversion and _conversion(lead, lead.conversion, zone),
        "amount": lead.amount,
        "invalid_reason": lead.invalid_reason,
        "erased_at": lead.erased_at,
    }
    if merged:
        values["merged"] = [_other(other, others) for other in merged]
    for name, value in values.items():
        if type(value) not in _AS_IT_IS:
            values[name] = _shown(name, value, zone)
    return _encode(values)


def _clocks(lead: Lead) -> dict[str, Any]:
    """What runs for the lead, and what of it is to be done next; while it is paused, nothing is."""
    running = [t for name, t in lead.timers.items() if name != ESCALATION and not lead.pause]
    return {
        "due_at": min((t.due_at for t in running if t.due_at), default=None),
        "overdue": any(t.overdue for t in running),
        "timers": [
            {"name": name, "due_at": t.due_at, "overdue": t.overdue}
            for name, t in lead.timers.items()
        ],
    }


def _conversion(lead: Lead, conversion: Conversion, zone: ZoneInfo) -> dict[str, Any]:
    """The conversion with the stages on the way to it (R63)."""
    return asdict(conversion) | {"nodes": [row_json(asdict(n), zone) for n in nodes(lead, zone)]}


def _label(lead: Lead) -> dict[str, Any]:
    """Whose label it is: a rule's of this version of the policy, or a person's (A6)."""
    policy = lead.label_policy
    return {
        "rule": lead.labelled_by,
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
    return _value(value if name in CLEAR else mask_field(name, value), zone)


def row_json(row: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """Values that are masked already, as a row of a read model is, in the API's notation."""
    return {name: _value(value, zone) for name, value in row.items()}


def _value(value: Any, zone: ZoneInfo) -> Any:
    shown = _NOTATION.get(type(value))
    return shown(value, zone) if shown else value


def _values(values: Iterable[Any], zone: ZoneInfo) -> list[Any]:
    return [_value(value, zone) for value in values]


_AS_IT_IS = {NoneType, bool, UUID, Completeness, Activity, Disposition}
"""Types of fields that nothing is masked in, and that are written as they are."""

_NOTATION: Mapping[type, Callable[[Any, ZoneInfo], Any]] = {
    datetime: datetime.astimezone,
    Decimal: lambda amount, _: f"{amount:.2f}",
    dict: row_json,
    list: _values,
}
