"""What a lead looks like to clients, for OpenAPI; the JSON itself is made in lead_json.py."""

from collections.abc import Mapping
from typing import Any

from aggregates.lead.state import Activity, Completeness, Disposition

TEXT = {"type": ["string", "null"]}
INSTANT = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "With the company's offset; null = unknown or not yet.",
}
COUNT = {"type": "integer"}
MONEY = {
    "type": ["string", "null"],
    "pattern": r"^\d+\.\d\d$",
    "description": "In the company currency.",
}

_LEAD: Mapping[str, Any] = {
    "id": {"type": "string", "format": "uuid"},
    "code": {**TEXT, "examples": ["XLSH20240501001"]},
    "external_id": {**TEXT, "description": "The source's own id of an imported lead."},
    "source_system": TEXT,
    "version": {**COUNT, "description": "The ETag: how many events the lead has."},
    "captured": {"type": "boolean"},
    "captured_at": INSTANT,
    "stage": {**TEXT, "examples": ["待跟进"]},
    "completeness": {"enum": list(Completeness)},
    "activity": {"enum": list(Activity)},
    "disposition": {"enum": list(Disposition)},
    "owner": TEXT,
    "team": TEXT,
    "customer": TEXT,
    "contact": TEXT,
    "contact_title": TEXT,
    "phone": {**TEXT, "description": "Masked.", "examples": ["139****5678"]},
    "email": {**TEXT, "description": "Masked.", "examples": ["z***@example.cn"]},
    "source": TEXT,
    "industry": TEXT,
    "region": TEXT,
    "customer_type": TEXT,
    "campaign": TEXT,
    "need": {**TEXT, "description": "With contact details masked."},
    "level": TEXT,
    "segment": TEXT,
    "attributes": {"type": "object"},
    "follow_ups": COUNT,
    "first_attempt_at": INSTANT,
    "first_response_at": INSTANT,
    "conversion": {
        "type": ["object", "null"],
        "properties": {"at": INSTANT, "basis": TEXT, "owner": TEXT},
    },
    "amount": MONEY,
    "invalid_reason": TEXT,
}
LEAD: Mapping[str, Any] = {
    "type": "object",
    "description": "A lead, contact details masked.",
    "required": list(_LEAD),
    "properties": _LEAD,
}
