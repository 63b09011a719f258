"""The documents of the topic, made from the events' classes: `python -m adapters.kafka.asyncapi`.

A JSON Schema (2020-12) for the stored data of each version of an event, and an AsyncAPI 3.0
document that refers to them. The schemas of versions that are no longer written stay as they were.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from adapters.kafka.message import CONTENT_TYPE, schema_id
from adapters.kafka_settings import TOPIC, KafkaSettings
from adapters.postgres.codec import EVENT_TYPES
from aggregates.event import Event, Meta
from aggregates.personal import personal_fields

PLACE = Path("docs/reference")
DOCUMENT, SCHEMAS = "asyncapi.yaml", "events"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TIME = {"type": "string", "format": "date-time"}

SEALED = {
    "type": "string",
    "contentEncoding": "base64",
    "description": "What is personal in the event, encrypted: docs/reference/log.md.",
}
CLOUD_EVENT = {
    "type": "object",
    "description": "The attributes of CloudEvents 1.0, in structured JSON.",
    "required": ["specversion", "id", "source", "type", "time", "dataschema", "position", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "description": "<stream>/<version>: unique in the log."},
        "source": {"type": "string", "description": "The log, as its checkpoints name it."},
        "subject": {"type": "string", "description": "The lead's code, from its capture on."},
        "time": {**TIME, "description": "When the event was recorded, UTC."},
        "datacontenttype": {"const": "application/json"},
        "position": {"type": "integer", "description": "Where the event stands in the log."},
    },
}


def name_of(event_type: type[Event]) -> str:
    """`lead.captured.v1`."""
    return f"{event_type.topic}.v{event_type.class_version}"


def schema_of(event_type: type[Event]) -> dict[str, Any]:
    """The JSON Schema of an event's data as it is stored: what is personal is sealed in it, and
    what is not known is left out.
    """
    _, parts = msgspec.json.schema_components((event_type, Meta), ref_template="#/$defs/{name}")
    own = parts.pop(event_type.__name__)
    hints, personal = get_type_hints(event_type), personal_fields(event_type)
    properties = {
        name: TIME if datetime in (hints[name], *get_args(hints[name])) else _known(schema)
        for name, schema in own["properties"].items()
        if name not in personal
    }
    hidden = f" Sealed: {', '.join(personal)}." if personal else ""
    if event_type.class_version > 1:
        properties["class_version"] = {"const": event_type.class_version}
    return {
        "$schema": DIALECT,
        "$id": schema_id(event_type.topic, event_type.class_version),
        "title": own["title"],
        "description": _text(event_type) + hidden,
        "type": "object",
        "properties": {**properties, "sealed": SEALED, "meta": {"$ref": "#/$defs/Meta"}},
        "required": [n for n in (*own.get("required", ()), "meta") if n not in personal],
        "$defs": {name: _part(schema) for name, schema in sorted(parts.items())},
    }


def document(names: Iterable[str]) -> dict[str, Any]:
    """The AsyncAPI document, for the versions of events with these names."""
    prefix = KafkaSettings.model_fields["kafka_prefix"].default
    messages = {name: _message(name) for name in sorted(names)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "leadlog: events",
            "version": "1.0.0",
            "description": "Every event of the log, in the log's order: docs/reference/kafka.md.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            "events": {
                "address": prefix + TOPIC,
                "description": "The prefix before .events is a setting.",
                "messages": {n: {"$ref": f"#/components/messages/{n}"} for n in messages},
            }
        },
        "operations": {"copy": {"action": "send", "channel": {"$ref": "#/channels/events"}}},
        "components": {"messages": messages, "schemas": {"CloudEvent": CLOUD_EVENT}},
    }


def write(place: Path) -> None:
    """Write the schemas of today's versions, and the document of all that lie there then."""
    import yaml  # noqa: PLC0415 - a tool of ours

    (place / SCHEMAS).mkdir(exist_ok=True)
    for event_type in EVENT_TYPES.values():
        text = json.dumps(schema_of(event_type), indent=2, ensure_ascii=False)
        (place / SCHEMAS / f"{name_of(event_type)}.json").write_text(text + "\n", "utf-8")
    names = (file.stem for file in (place / SCHEMAS).glob("*.json"))
    text = yaml.safe_dump(document(names), sort_keys=False, allow_unicode=True, width=100)
    (place / DOCUMENT).write_text(text, "utf-8")


def _message(name: str) -> dict[str, Any]:
    topic, _, version = name.rpartition(".v")
    event_type = EVENT_TYPES.get(topic)
    particular = {
        "type": {"const": topic},
        "dataschema": {"const": schema_id(topic, int(version))},
        "data": {"$ref": f"./{SCHEMAS}/{name}.json"},
    }
    return {
        "name": topic,
        "title": event_type.__name__ if event_type else topic,
        "summary": _text(event_type).partition(". ")[0] if event_type else "No longer written.",
        "contentType": CONTENT_TYPE,
        "bindings": {
            "kafka": {
                "key": {"type": "string", "format": "uuid", "description": "The stream's id."}
            }
        },
        "payload": {
            "allOf": [{"$ref": "#/components/schemas/CloudEvent"}, {"properties": particular}]
        },
    }


def _text(described: type[Any]) -> str:
    return " ".join((described.__doc__ or "").split())


def _part(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What events consist of, without our remarks on the code."""
    kept = {k: v for k, v in schema.items() if k != "description"}
    return kept | {"properties": {k: _known(v) for k, v in schema["properties"].items()}}


def _known(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a value that is there: None is not stored."""
    kept = {k: v for k, v in schema.items() if k != "default"}
    others = [one for one in kept.pop("anyOf", ()) if one != {"type": "null"}]
    if len(others) > 1:
        return kept | {"anyOf": others}
    return kept | (others[0] if others else {})


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else PLACE)
