"""The documents of the topic are those of today's events, which all that was ever stored obey."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from adapters.kafka import asyncapi
from adapters.kafka.message import CloudEvent
from adapters.postgres.codec import EVENT_TYPES
from aggregates.event import Event
from aggregates.personal import personal_fields

ROOT = Path(__file__).parents[2]
PLACE = ROOT / asyncapi.PLACE
SCHEMAS = sorted((PLACE / asyncapi.SCHEMAS).glob("*.json"))
GOLDEN = sorted((ROOT / "tests" / "conformance" / "golden").glob("*.json"))


def schema(name: str) -> Any:
    return json.loads((PLACE / asyncapi.SCHEMAS / f"{name}.json").read_text("utf-8"))


@pytest.mark.parametrize("event_type", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_a_schema_is_that_of_its_class(event_type: type[Event]) -> None:
    made = asyncapi.schema_of(event_type)
    Draft202012Validator.check_schema(made)
    assert schema(asyncapi.name_of(event_type)) == made, "python -m adapters.kafka.asyncapi"
    assert not made["properties"].keys() & set(personal_fields(event_type))


@pytest.mark.parametrize("file", GOLDEN, ids=lambda file: file.stem)
def test_every_golden_event_obeys_its_schema(file: Path) -> None:
    topic, _, version = file.stem.partition(".v")
    wanted = schema(f"{topic}.v{version.split('.')[0]}")
    stored = json.loads(file.read_bytes())
    validator = validator_for(wanted)(wanted)
    assert list(validator.iter_errors(stored)) == []
    assert stored.keys() <= wanted["properties"].keys()
    del stored["meta"]
    assert list(validator.iter_errors(stored)) != []


def test_the_document_is_that_of_the_schemas() -> None:
    written = yaml.safe_load((PLACE / asyncapi.DOCUMENT).read_text("utf-8"))
    assert written == asyncapi.document(file.stem for file in SCHEMAS), (
        "python -m adapters.kafka.asyncapi"
    )
    assert {asyncapi.name_of(t) for t in EVENT_TYPES.values()} <= {file.stem for file in SCHEMAS}


def test_the_document_names_the_attributes_of_a_message() -> None:
    named = {*asyncapi.CLOUD_EVENT["properties"], "type", "dataschema", "data"}
    assert named == set(CloudEvent.__struct_fields__)


def test_every_reference_leads_somewhere() -> None:
    document = yaml.safe_load((PLACE / asyncapi.DOCUMENT).read_text("utf-8"))
    for reference in _references(document):
        file, _, path = reference.partition("#")
        target: Any = document
        if file:
            target = json.loads((PLACE / file).read_text("utf-8"))
        for part in filter(None, path.split("/")):
            target = target[part]


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for one in node for found in _references(one)]
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for one in node.values() for found in _references(one)]
    return []
