"""Reading is tolerant: a log of an older or a newer program replays (T12)."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import pytest
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from eventsourcing.utils import register_topic
from hypothesis import given as for_all
from hypothesis import note, seed, settings

from adapters.postgres import codec
from adapters.postgres.codec import EVENT_TYPES, LeadlogMapper, encode_meta
from aggregates.event import Event, Meta
from aggregates.lead.events import FollowUpRecorded, LeadCaptured, StageChanged
from aggregates.lead.evolve import fold
from aggregates.lead.state import Lead
from aggregates.personal import without_personal
from tests.conformance.examples import AT, EXAMPLES, META
from tests.seed import SEED
from tests.unit.lead.any_event import events

STREAM = UUID("5b0c9b52-6a52-4d4c-9c3e-2f0f6f7a1d11")


def backwards(plain: bytes) -> bytes:
    """Seals and opens: what stands in clear was never sealed, what stands backwards not opened."""
    return plain[::-1]


encode = partial(codec.encode, seal=backwards)
decode, decode_event = (partial(f, unseal=backwards) for f in (codec.decode, codec.decode_event))
UNKNOWN = Meta("unknown", UUID(int=0))


def stored(event: Event, **changes: Any) -> bytes:
    """The bytes of an event with further, changed or (None) missing names at the top level."""
    names = json.loads(encode(event, encode_meta(META))) | changes
    return json.dumps({k: v for k, v in names.items() if v is not None}).encode()


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.topic)
def test_fields_of_a_newer_program_do_no_harm(event: Event) -> None:
    """Unknown names are passed over, at the top level and in the envelope."""
    meta = json.loads(bytes(encode_meta(META))) | {"tenant": 1}
    state = stored(event, urgency="high", meta=meta)
    assert decode(event.topic, state) == (event, META)
    assert decode_event(event.topic, state) == event


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.topic)
def test_missing_optional_fields_are_none_or_empty(event: Event) -> None:
    """A field added later is missing in what was stored before."""
    names = msgspec_required(type(event))
    said = json.loads(encode(event, encode_meta(META)))
    state = json.dumps({name: said[name] for name in names}).encode()
    bare = type(event)(**{name: getattr(event, name) for name in names})
    assert decode(event.topic, state) == (bare, UNKNOWN)


def msgspec_required(event_type: type[Event]) -> list[str]:
    """The names without which the type cannot be read."""
    info = msgspec.inspect.type_info(event_type)
    assert isinstance(info, msgspec.inspect.DataclassType)
    return [field.name for field in info.fields if field.required]


def test_what_is_not_known_is_not_stored() -> None:
    """None and an empty mapping leave no trace; false, zero and the empty text are values."""
    bare = encode(LeadCaptured(code="", details={}), encode_meta(UNKNOWN))
    assert json.loads(bare).keys() == {"code", "meta"}
    said = FollowUpRecorded(code="", connected=False, content="", details={"seconds": 0})
    state = json.loads(encode(said, encode_meta(UNKNOWN)))
    del state["meta"]
    assert state == {"code": "", "connected": False, "content": "", "details": {"seconds": 0}}


@pytest.mark.parametrize("value", [AT.date(), AT, Decimal("1.50"), STREAM, b"x", {1, 2}])
@pytest.mark.parametrize("within", [lambda v: v, lambda v: [1, {"a": v}]], ids=["flat", "deep"])
def test_what_would_not_come_back_is_refused(value: object, within: Any) -> None:
    """A mapping holds what JSON has: the type of anything else would be lost."""
    event = LeadCaptured(code="", details={"budget": within(value)})
    with pytest.raises(
        TypeError, match=r"lead\.captured: details\.budget.*: a .* would come back as"
    ):
        encode(event, encode_meta(META))


@pytest.mark.parametrize("name", ["occurred_at", "until"])
def test_a_time_without_a_zone_is_refused(name: str) -> None:
    """Nobody could say later when it was."""
    with pytest.raises(TypeError, match=f"test.planned: {name} is a time without a zone"):
        encode(Planned(**{name: AT.replace(tzinfo=None)}), encode_meta(META))


def test_an_unknown_topic_gives_a_bare_event_that_only_counts() -> None:
    """A fact of a newer program keeps its place and its time; the fold passes over it."""
    state = stored(EXAMPLES[0], code=None)
    event, meta = decode("lead.unheard-of", state)
    assert (type(event), event.occurred_at, meta) == (Event, AT, META)
    assert decode_event("lead.unheard-of", state) == event
    lead = fold(Lead(STREAM), [StageChanged(stage="方案提交"), event])
    assert (lead.version, lead.stage) == (2, "方案提交")


@dataclass(frozen=True, kw_only=True)
class Planned(Event):
    """Has a time beside the one that every event has."""

    topic: ClassVar[str] = "test.planned"

    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Quoted(Event):
    """A type in its third version: cents became a text, then the currency joined it."""

    topic: ClassVar[str] = "test.quoted"
    class_version: ClassVar[int] = 3

    amount: str
    currency: str

    @staticmethod
    def upcast_v1_v2(state: dict[str, Any]) -> None:
        """Version 1 counted cents."""
        state["amount"] = f"{state.pop('cents') / 100:.2f}"

    @staticmethod
    def upcast_v2_v3(state: dict[str, Any]) -> None:
        """Version 2 knew one currency."""
        state["currency"] = "CNY"


@pytest.fixture
def quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log knows the type for the length of a test."""
    monkeypatch.setitem(EVENT_TYPES, Quoted.topic, Quoted)
    monkeypatch.setitem(codec._decoders, Quoted.topic, msgspec.json.Decoder(Quoted).decode)
    register_topic(Quoted.topic, Quoted)


VERSIONS = [
    b'{"occurred_at":"2024-05-01T01:15:00.120000Z","cents":8500000}',
    b'{"occurred_at":"2024-05-01T01:15:00.120000Z","amount":"85000.00","class_version":2}',
    b'{"occurred_at":"2024-05-01T01:15:00.120000Z","amount":"85000.00","currency":"CNY",'
    b'"class_version":3}',
]


@pytest.mark.usefixtures("quoted")
@pytest.mark.parametrize("state", VERSIONS, ids=["v1", "v2", "v3"])
def test_old_versions_are_lifted_step_by_step(state: bytes) -> None:
    """Our decoder and the library's mapper follow the same `upcast_vN_vN+1` steps."""
    expected = Quoted(occurred_at=AT, amount="85000.00", currency="CNY")
    assert decode(Quoted.topic, state) == (expected, UNKNOWN)
    assert decode_event(Quoted.topic, state) == expected
    mapper: Mapper[UUID] = Mapper(JSONTranscoder())
    theirs: Any = mapper.to_domain_event(StoredEvent(STREAM, 1, Quoted.topic, state))
    assert (theirs.amount, theirs.currency) == ("85000.00", "CNY")


@pytest.mark.usefixtures("quoted")
def test_a_later_version_is_written_with_its_number() -> None:
    """Where the library's mapper writes it."""
    state = encode(Quoted(amount="1.00", currency="CNY"), encode_meta(META))
    assert json.loads(state)["class_version"] == 3


@seed(SEED)
@settings(max_examples=300, deadline=None, database=None)
@for_all(events)
def test_any_event_survives_its_bytes(event: Event) -> None:
    """Texts in any script, unknown times, extreme dates and amounts."""
    note(f"SEED={SEED}")
    state = encode(event, encode_meta(META))
    topic = event.topic
    if topic not in EVENT_TYPES:
        event = Event(occurred_at=event.occurred_at)
    assert decode(topic, state) == (event, META)


def test_what_is_personal_is_never_written_in_clear() -> None:
    """Architecture section 7: without a way to seal it, it is refused."""
    for event in EXAMPLES:
        if event != without_personal(event):
            with pytest.raises(TypeError, match="would be stored in clear"):
                codec.encode(event, encode_meta(META))


def test_the_librarys_mapper_in_our_shape() -> None:
    """MAPPER_TOPIC=adapters.postgres.codec:LeadlogMapper gives typed values and the envelope.

    It has no lead's key: what is personal it neither reads nor writes.
    """
    mapper = LeadlogMapper(JSONTranscoder())
    for version, whole in enumerate(EXAMPLES, 1):
        event = without_personal(whole)
        state = encode(event, encode_meta(META))
        typed: Any = mapper.to_domain_event(StoredEvent(STREAM, version, event.topic, state))
        assert (typed.originator_id, typed.originator_version) == (STREAM, version)
        assert typed.meta == META
        assert mapper.to_stored_event(typed) == StoredEvent(STREAM, version, event.topic, state)
        assert replace(typed) == event
        sealed = StoredEvent(STREAM, version, event.topic, encode(whole, encode_meta(META)))
        assert replace(mapper.to_domain_event(sealed)) == event  # type: ignore[type-var]
