"""What OpenAPI says of webhooks."""

from collections.abc import Mapping
from typing import Any

_TIME = {"type": "string", "format": "date-time"}
_MAYBE = {"type": ["string", "null"], "format": "date-time"}
_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
_WEBHOOK: dict[str, Any] = {
    "id": {"type": "string", "format": "uuid"},
    "url": _TEXT | {"description": "But for its query, where a secret may stand."},
    "description": _TEXT,
    "topics": {"type": "array", "items": _TEXT, "description": "None = all events."},
    "active": {"type": "boolean"},
    "disabled": {"type": ["string", "null"], "description": "Why nothing is sent."},
    "position": _NUMBER | {"description": "All up to there is delivered or given up."},
    "replay_upto": _NUMBER | {"description": "Up to there imported history is sent, too."},
    "attempts": _NUMBER | {"description": "Of the next event, in vain."},
    "failing_since": _MAYBE,
    "next_try": _MAYBE,
    "error": {"type": ["string", "null"], "description": "What went wrong last."},
    "delivered_at": _MAYBE,
    "old_secret_until": _MAYBE,
    "created_at": _TIME,
    "created_by": _TEXT,
    "changed_at": _TIME,
    "changed_by": _TEXT,
}
_SECRET = _TEXT | {"description": "whsec_… as Standard Webhooks has it; shown this once."}
_DEAD: dict[str, Any] = {
    "position": _NUMBER,
    "topic": _TEXT,
    "error": _TEXT,
    "attempts": _NUMBER,
    "at": _TIME,
    "retried": {"type": "boolean", "description": "It is to be sent once more."},
}


def _shape(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [*properties], "properties": dict(properties)}


def _page(name: str) -> dict[str, Any]:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
    return _shape({"items": items, "next": {"type": ["string", "null"]}, "position": _NUMBER})


SCHEMAS: Mapping[str, Any] = {
    "Webhook": _shape(_WEBHOOK),
    "NewWebhook": _shape({**_WEBHOOK, "secret": _SECRET}),
    "Webhooks": _page("Webhook"),
    "DeadMessage": _shape(_DEAD),
    "DeadMessages": _page("DeadMessage"),
    "RetriedMessages": _shape({"messages": _NUMBER}),
    "DeletedWebhook": _shape({"deleted": _TEXT}),
    "TestedWebhook": _shape(
        {
            "taken": {"type": "boolean"},
            "status": {"type": ["integer", "null"]},
            "error": {"type": ["string", "null"]},
        }
    ),
}
