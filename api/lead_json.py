"""A lead as JSON: contact details and free text masked, times in the company's zone (A4, R75)."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from aggregates.lead.state import Conversion, Lead
from aggregates.privacy import mask_email, mask_phone, mask_text

_encode = msgspec.json.Encoder().encode


def lead_json(lead: Lead, zone: ZoneInfo) -> bytes:
    """The lead as it is shown to everybody who may see it."""
    profile = lead.profile.get
    phone, email, need = profile("phone"), profile("email"), profile("need")
    return _encode(
        {
            "id": lead.id,
            "code": lead.code,
            "external_id": lead.external_id,
            "source_system": lead.source_system,
            "version": lead.version,
            "captured": lead.captured,
            "captured_at": local(lead.captured_at, zone),
            "stage": lead.stage,
            "completeness": lead.completeness,
            "activity": lead.activity,
            "disposition": lead.disposition,
            "owner": lead.owner,
            "team": profile("team"),
            "customer": profile("customer"),
            "contact": profile("contact"),
            "contact_title": profile("contact_title"),
            "phone": phone and mask_phone(phone),
            "email": email and mask_email(email),
            "source": profile("source"),
            "industry": profile("industry"),
            "region": profile("region"),
            "customer_type": profile("customer_type"),
            "campaign": profile("campaign"),
            "need": need and mask_text(need),
            "level": profile("level"),
            "segment": profile("segment"),
            "attributes": masked(lead.attributes),
            "follow_ups": lead.follow_ups,
            "first_attempt_at": local(lead.first_attempt_at, zone),
            "first_response_at": local(lead.first_response_at, zone),
            "conversion": lead.conversion and _conversion(lead.conversion, zone),
            "amount": None if lead.amount is None else f"{lead.amount:.2f}",
            "invalid_reason": lead.invalid_reason and mask_text(lead.invalid_reason),
        }
    )


def row_json(row: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """A row of a read model, masked on its way in, in the same notation."""
    return {name: _value(value, zone) for name, value in row.items()}


def _value(value: Any, zone: ZoneInfo) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(zone)
    return f"{value:.2f}" if isinstance(value, Decimal) else value


def local(at: datetime | None, zone: ZoneInfo) -> datetime | None:
    """The instant with the company's offset."""
    return at and at.astimezone(zone)


def masked(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Attributes with what looks like a contact detail hidden in their texts."""
    return {k: mask_text(v) if isinstance(v, str) else v for k, v in attributes.items()}


def _conversion(conversion: Conversion, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "at": local(conversion.at, zone),
        "basis": conversion.basis,
        "owner": conversion.owner,
    }
