"""What is personal in events, sealed on the way into the log and opened on the way out."""

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import msgspec
import psycopg

from adapters.keyring import LeadKey, LostKeyError, keyring
from adapters.postgres.codec import IS_SEALED, Cipher, decode, decode_event, encode
from aggregates.event import Event, Meta
from aggregates.personal import personal_values

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

NO_KEYS: Mapping[UUID, LeadKey] = {}

KEYS = "SELECT stream, wrapped FROM privacy.keys WHERE stream = ANY (%s)"
ERASED = "SELECT stream FROM privacy.erasures WHERE stream = ANY (%s)"


def place_of(stream: UUID, version: int, topic: str) -> str:
    """Where what is personal in an event is sealed: the associated data of its ciphertext."""
    return f"{stream}/{version}/{topic}"


def sealer(key: LeadKey | None, stream: UUID, version: int, topic: str) -> Cipher | None:
    """The way into the log at a place of it."""
    return partial(key.seal, place_of(stream, version, topic)) if key else None


def opened(key: LeadKey | None, stream: UUID, version: int, topic: str, state: bytes) -> Event:
    """An event as it was recorded; without a key, as after an erasure, what is left of it."""
    if key and IS_SEALED in state:
        return decode_event(topic, state, partial(key.open, place_of(stream, version, topic)))
    return decode_event(topic, state)


def opened_with_meta(
    key: LeadKey | None, stream: UUID, version: int, topic: str, state: bytes
) -> tuple[Event, Meta]:
    """The same, and who caused it."""
    unseal = partial(key.open, place_of(stream, version, topic)) if key else None
    return decode(topic, state, unseal)


class LeadKeys:
    """Seals events of many leads, each with its own key: a known one, or a new one. `made`: those
    that are new, wrapped, to be stored with what they seal.
    """

    def __init__(self, known: Mapping[UUID, LeadKey] = NO_KEYS) -> None:
        self._keys = dict(known)
        self.made: list[tuple[UUID, bytes]] = []

    def encode(self, stream: UUID, version: int, event: Event, meta: msgspec.Raw) -> bytes:
        """The bytes of an event at its place; a lead gets a key with its first personal value."""
        key = self._of(stream) if personal_values(event) else None
        return encode(event, meta, sealer(key, stream, version, event.topic))

    def _of(self, stream: UUID) -> LeadKey:
        if stream not in self._keys:
            self._keys[stream], wrapped = keyring().make(stream)
            self.made.append((stream, wrapped))
        return self._keys[stream]


def keys_of(conn: Connection, streams: Collection[UUID]) -> dict[UUID, LeadKey]:
    """The keys of those of the streams that have one."""
    if not streams:
        return {}
    found = conn.cursor(binary=True).execute(KEYS, (list(streams),)).fetchall()
    return {stream: keyring().unwrap(stream, wrapped) for stream, wrapped in found}


def keys_to_open(conn: Connection, sealed: Collection[UUID]) -> dict[UUID, LeadKey]:
    """The keys of streams that hold something sealed, but of those that were erased.

    Raises LostKeyError: what cannot be read must not look as if it had never been given.
    """
    keys = keys_of(conn, sealed)
    if keyless := set(sealed) - keys.keys():
        # Asked behind the keys: the commit that destroys one puts the erasure on record.
        erased = {stream for (stream,) in conn.execute(ERASED, (list(keyless),))}
        if lost := keyless - erased:
            raise LostKeyError(min(lost))
    return keys
