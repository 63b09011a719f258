"""Golden bytes: what was once stored is read, and written again, byte for byte (T12).

`golden/<topic>.v<version>.json` holds an event of each type and version with every field filled.
A released file never changes. A new optional field gets a further file of the same version,
`<topic>.v<version>.<what>.json`; any other change of a type is a new version with an upcaster.
"""

import base64
import json
from dataclasses import fields
from functools import partial
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent

from adapters.keyring import LeadKey
from adapters.postgres import codec
from adapters.postgres.codec import EVENT_TYPES, encode_meta
from aggregates.event import Event, Meta
from tests.conformance.examples import EXAMPLES, META

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))
STREAM = UUID("5b0c9b52-6a52-4d4c-9c3e-2f0f6f7a1d11")
KEY = LeadKey(bytes(range(32)), nonce=bytes)  # a nonce of zeros: the same bytes every time
BY_TYPE = {type(event): event for event in EXAMPLES}


def encode(event: Event, meta: msgspec.Raw) -> bytes:
    """The event's bytes with what is personal sealed by the key of these files."""
    return codec.encode(event, meta, partial(KEY.seal, event.topic))


def decode(topic: str, state: bytes) -> tuple[Event, Meta]:
    """The way back."""
    return codec.decode(topic, state, partial(KEY.open, topic))


def names_in(file: Path) -> set[str]:
    """The names that a file holds, those among what is sealed included."""
    state = json.loads(file.read_bytes())
    sealed = state.pop("sealed", None)
    topic, _ = topic_and_version(file)
    own = json.loads(KEY.open(topic, base64.b64decode(sealed))) if sealed else {}
    return state.keys() | own.keys()


def topic_and_version(file: Path) -> tuple[str, int]:
    """`lead.captured.v1.json` -> ("lead.captured", 1)."""
    topic, _, rest = file.name.partition(".v")
    return topic, int(rest.split(".")[0])


def bytes_of(file: Path) -> bytes:
    """What the log would hold: the file ends in a newline, the log's bytes do not."""
    return file.read_bytes().removesuffix(b"\n")


def current(event_type: type[Event]) -> list[Path]:
    """The files of a type's present version."""
    wanted = (event_type.topic, event_type.class_version)
    return [file for file in FILES if topic_and_version(file) == wanted]


@pytest.mark.parametrize("event_type", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_every_type_is_pinned_field_by_field(event_type: type[Event]) -> None:
    """A type without a golden file, or with a field that none of its files holds, is not pinned."""
    stored = {name for file in current(event_type) for name in names_in(file)}
    own = {field.name for field in fields(event_type)}
    version = {"class_version"} if event_type.class_version > 1 else set()
    assert stored == own | {"meta"} | version, f"pin in {GOLDEN}: {written(event_type)!r}"


def written(event_type: type[Event]) -> str:
    """The example as the log stores it today."""
    return encode(BY_TYPE[event_type], encode_meta(META)).decode()


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.topic)
def test_todays_bytes_are_the_golden_ones(event: Event) -> None:
    """Object -> bytes -> object: equal to the newest file, and equal to itself."""
    state = encode(event, encode_meta(META))
    assert state in map(bytes_of, current(type(event)))
    assert decode(event.topic, state) == (event, META)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_golden_bytes_are_read_and_written_again(file: Path) -> None:
    """Bytes -> object -> bytes, for every file ever released."""
    topic, version = topic_and_version(file)
    state = bytes_of(file)
    event, meta = decode(topic, state)
    assert type(event) is EVENT_TYPES[topic]
    assert codec.decode_event(topic, state, partial(KEY.open, topic)) == event
    if version == event.class_version:
        assert encode(event, encode_meta(meta)) == state


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_stock_mapper_reads_them(file: Path) -> None:
    """The library alone, without our codec's decoder, gives typed events with every clear value."""
    topic, _ = topic_and_version(file)
    state = bytes_of(file)
    mapper: Mapper[UUID] = Mapper(JSONTranscoder())
    event = mapper.to_domain_event(StoredEvent(STREAM, 3, topic, state))
    assert type(event) is EVENT_TYPES[topic]
    values = dict(vars(event))
    assert (values.pop("originator_id"), values.pop("originator_version")) == (STREAM, 3)
    assert values == {k: v for k, v in json.loads(state).items() if k != "class_version"}


def test_the_envelope_leaves_out_what_it_does_not_know() -> None:
    """Correlation and causation are stored only where they differ from the command."""
    bare = Meta("import:edtech", META.command_id)
    state = encode(EXAMPLES[0], encode_meta(bare))
    assert json.loads(state)["meta"] == {
        "actor": "import:edtech",
        "command_id": str(META.command_id),
    }
    assert decode(EXAMPLES[0].topic, state)[1] == bare
