"""Events as bytes and back: plain JSON, one object per event.

The event's own fields stand at the top level, the envelope under `meta`; values that are None or
empty are left out. What is personal stands together under `sealed`, as a text that only the key of
its lead opens; without that key those fields are None. `class_version` stands there when it is
above 1, as eventsourcing's mapper writes it. Reading is tolerant: fields and topics of a newer
program do no harm.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import NoneType
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, StoredEvent
from eventsourcing.utils import register_topic

from aggregates.access.events import EVENTS as ACCESS_EVENTS
from aggregates.directory.events import EVENTS as DIRECTORY_EVENTS
from aggregates.event import Event, Meta
from aggregates.lead.events import EVENTS as LEAD_EVENTS
from aggregates.lead.privacy_events import EVENTS as PRIVACY_EVENTS
from aggregates.lead.time_events import EVENTS as TIME_EVENTS
from aggregates.notification.events import EVENTS as NOTIFICATION_EVENTS
from aggregates.personal import personal_values
from aggregates.policy.events import EVENTS as POLICY_EVENTS
from aggregates.review.events import EVENTS as REVIEW_EVENTS

EVENT_TYPES: Mapping[str, type[Event]] = {
    t.topic: t
    for t in (
        *LEAD_EVENTS,
        *TIME_EVENTS,
        *PRIVACY_EVENTS,
        *REVIEW_EVENTS,
        *NOTIFICATION_EVENTS,
        *DIRECTORY_EVENTS,
        *POLICY_EVENTS,
        *ACCESS_EVENTS,
    )
}

for _topic, _type in EVENT_TYPES.items():
    register_topic(_topic, _type)


Cipher = Callable[[bytes], bytes]
"""Seals, or opens, what is personal in one event at its place."""


class _Envelope(msgspec.Struct):
    meta: Meta = Meta(actor="unknown", command_id=UUID(int=0))
    class_version: int = 1
    sealed: bytes | None = None  # as base64 in JSON


IS_SEALED = b'"sealed":'


_PLAIN = (str, int, float, NoneType)
_NESTED = (dict, list, tuple)
_encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
_envelope = msgspec.json.Decoder(_Envelope).decode
_decoders = {topic: msgspec.json.Decoder(t).decode for topic, t in EVENT_TYPES.items()}
_unknown = msgspec.json.Decoder(Event).decode


def encode_meta(meta: Meta) -> msgspec.Raw:
    """The envelope's bytes, to be shared by all events of a command."""
    pairs = ((k, getattr(meta, k)) for k in Meta.__dataclass_fields__)
    return msgspec.Raw(_encode({k: v for k, v in pairs if v is not None}))


def encode(event: Event, meta: msgspec.Raw, seal: Cipher | None = None) -> bytes:
    """The bytes of an event. Field order is the class's, so equal events have equal bytes.

    Raises TypeError for what would not come back as it went: a time without a zone, and in a
    mapping such as `details` anything that JSON has no type for (dates, decimals, UUIDs); and for
    personal values without a way to `seal` them.
    """
    state: dict[str, Any] = {k: v for k, v in vars(event).items() if v is not None and v != {}}
    for name, value in state.items():
        if isinstance(value, datetime) and value.tzinfo is None:
            raise TypeError(f"{event.topic}: {name} is a time without a zone")
        if isinstance(value, dict):
            _require_plain(value, f"{event.topic}: {name}")
    if personal := personal_values(event):
        if seal is None:
            raise TypeError(f"{event.topic}: {', '.join(personal)} would be stored in clear")
        _take_out(state, personal)
        state["sealed"] = seal(_encode(personal))
    if event.class_version > 1:
        state["class_version"] = event.class_version
    state["meta"] = meta
    return _encode(state)


def _take_out(state: dict[str, Any], personal: Mapping[str, Any]) -> None:
    """Leave what is not personal."""
    for name, value in personal.items():
        if rest := isinstance(value, dict) and {
            k: v for k, v in state[name].items() if k not in value
        }:
            state[name] = rest
        else:
            del state[name]


def _require_plain(values: dict[str, Any] | Sequence[Any], where: str) -> None:
    named = values.items() if isinstance(values, dict) else enumerate(values)
    for name, value in named:
        if isinstance(value, _NESTED):
            _require_plain(value, f"{where}.{name}")
        elif not isinstance(value, _PLAIN):
            kind = type(value).__name__
            raise TypeError(f"{where}.{name}: a {kind} would come back as something else")


def decode(topic: str, state: bytes, unseal: Cipher | None = None) -> tuple[Event, Meta]:
    """The event and its envelope; an unknown topic gives a bare `Event`. What is personal is there
    if there is a way to `unseal` it.
    """
    envelope = _envelope(state)
    cls = EVENT_TYPES.get(topic)
    if cls is None:
        return _unknown(state), envelope.meta
    is_old = envelope.class_version < cls.class_version
    if not is_old and not (unseal and envelope.sealed):
        return _decoders[topic](state), envelope.meta
    fields = msgspec.json.decode(state)
    if unseal and envelope.sealed:
        _put_back(fields, msgspec.json.decode(unseal(envelope.sealed)))
    return upcast(cls, fields, envelope.class_version), envelope.meta


def decode_event(topic: str, state: bytes, unseal: Cipher | None = None) -> Event:
    """The event alone, for readers that do not ask who caused it."""
    cls = EVENT_TYPES.get(topic)
    if cls is None:
        return _unknown(state)
    if cls.class_version > 1 or (unseal and IS_SEALED in state):
        return decode(topic, state, unseal)[0]
    return _decoders[topic](state)


def _put_back(fields: dict[str, Any], personal: dict[str, Any]) -> None:
    if details := personal.pop("details", None):
        fields["details"] = fields.get("details", {}) | details
    fields |= personal


def upcast(cls: type[Event], state: dict[str, Any], version: int) -> Event:
    """An old event in today's shape, by the class's `upcast_vN_vN+1` steps."""
    for step in range(version, cls.class_version):
        getattr(cls, f"upcast_v{step}_v{step + 1}")(state)
    return msgspec.convert(state, cls)


def occurred_at(event: Event) -> datetime | None:
    """When the event happened, UTC."""
    return event.occurred_at


class LeadlogMapper(Mapper[UUID]):
    """The codec in the shape of eventsourcing, for Applications with MAPPER_TOPIC set to it."""

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """Bytes of an event whose stream, version and `meta` are set on it."""
        state = dict(vars(domain_event))
        stream, version = state.pop("originator_id"), state.pop("originator_version")
        meta = state.pop("meta", None)
        event = type(domain_event)(**state)
        assert isinstance(event, Event)
        raw = encode_meta(meta if isinstance(meta, Meta) else Meta("eventsourcing", UUID(int=0)))
        return StoredEvent(stream, version, event.topic, encode(event, raw))

    def to_domain_event(self, stored_event: StoredEvent) -> DomainEventProtocol[UUID]:
        """The typed event, with its stream, version and `meta` set on it."""
        event, meta = decode(stored_event.topic, stored_event.state)
        names: Iterable[tuple[str, Any]] = (
            ("originator_id", stored_event.originator_id),
            ("originator_version", stored_event.originator_version),
            ("meta", meta),
        )
        for name, value in names:
            object.__setattr__(event, name, value)
        return event
