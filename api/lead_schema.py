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
OTHER = {
    "id": {
        "type": ["string", "null"],
        "format": "uuid",
        "description": "Null, like the code, of a lead that one may not see.",
    },
    "code": TEXT,
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
    "screened": {
        "type": ["boolean", "null"],
        "description": "Whether marketing accepted or rejected it; null = it has not judged.",
    },
    "pause": {
        "type": ["object", "null"],
        "description": "The pause that lasts, and when it is to end.",
        "properties": {"since": INSTANT, "reason": TEXT, "resume_at": INSTANT},
    },
    "paused_seconds": {"type": "number", "description": "The pauses that are over."},
    "due_at": {**INSTANT, "description": "When the next thing is due; null while it is paused."},
    "overdue": {"type": "boolean", "description": "Something that was due is not done."},
    "timers": {
        "type": "array",
        "description": "The clocks that run, and what is owed; they stand while it is paused.",
        "items": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "examples": ["first-follow-up"]},
                "due_at": INSTANT,
                "overdue": {"type": "boolean"},
            },
        },
    },
    "owner": TEXT,
    "team": TEXT,
    "pool": {**TEXT, "description": "The pool that the lead waits in for somebody to claim it."},
    "assigned_at": INSTANT,
    "assignment": {
        "type": ["object", "null"],
        "description": "Why the rules chose this owner or pool, or found nobody: policy, rule,"
        " target, candidates with their loads, and who was left out and why. null = people chose.",
    },
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
    "label": {
        "type": "object",
        "description": "Who gave level and segment: a rule of this version of the policy, or a "
        "person; neither where they were imported.",
        "properties": {
            "rule": TEXT,
            "policy_version": {"type": ["integer", "null"]},
            "by_hand": {"type": "boolean"},
        },
    },
    "missing": {
        "type": "array",
        "items": {"type": "string"},
        "description": "What makes the lead 待补充; of fields joined by | one is enough.",
        "examples": [["contact_title", "phone|email"]],
    },
    "duplicates": {
        "type": "array",
        "description": "Leads that may be the same one, until somebody dismisses that.",
        "items": {
            "type": "object",
            "properties": {
                **OTHER,
                "certain": {"type": "boolean"},
                "by": {"type": "array", "items": {"enum": ["phone", "email", "customer"]}},
            },
        },
    },
    "merged_into": {
        "type": ["object", "null"],
        "description": "The lead under which this one counts.",
        "properties": OTHER,
    },
    "attributes": {"type": "object"},
    "follow_ups": COUNT,
    "first_attempt_at": INSTANT,
    "first_response_at": INSTANT,
    "conversion": {
        "type": ["object", "null"],
        "properties": {
            "at": INSTANT,
            "basis": TEXT,
            "owner": TEXT,
            "nodes": {
                "type": "array",
                "description": "The stages on the way to it, in order of time.",
                "items": {
                    "type": "object",
                    "properties": {
                        "stage": TEXT,
                        "entered_at": INSTANT,
                        "days_before_signing": COUNT,
                        "text": {**TEXT, "examples": ["方案提交后第18天签约"]},
                    },
                },
            },
        },
    },
    "amount": MONEY,
    "invalid_reason": TEXT,
    "erased_at": {**INSTANT, "description": "Since when its personal data is gone."},
}
_MERGED: Mapping[str, Any] = {
    "type": "array",
    "description": "The leads that count under this one, where there are any; of reads alone.",
    "items": {
        "type": "object",
        "properties": OTHER,
    },
}
LEAD: Mapping[str, Any] = {
    "type": "object",
    "description": "A lead, contact details masked.",
    "required": list(_LEAD),
    "properties": {**_LEAD, "merged": _MERGED},
}
