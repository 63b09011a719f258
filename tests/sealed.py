"""What is personal in events, for tests that write the log by hand or read it by hand.

Reading shares no code with the product: AES-256-GCM as docs/reference/log.md describes it.
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.postgres.codec import encode, encode_meta
from adapters.postgres.encryption import LeadKeys
from aggregates.event import Event, Meta

STORE = "INSERT INTO privacy.keys (stream, wrapped) VALUES (%s, %s) ON CONFLICT DO NOTHING"


class Sealing:
    """Encodes events with keys of its own, which belong into each database they are stored in."""

    def __init__(self) -> None:
        self._keys = LeadKeys()

    def encode(self, stream: UUID, version: int, event: Event, meta: Meta) -> bytes:
        """The bytes of an event at its place."""
        return self._keys.encode(stream, version, event, encode_meta(meta))

    def store_keys(self, conn: psycopg.Connection[Any], streams: Iterable[UUID]) -> None:
        """Put the keys of these streams into a database."""
        wanted = set(streams)
        conn.cursor().executemany(STORE, [key for key in self._keys.made if key[0] in wanted])


def in_clear(event: Event, meta: Meta) -> dict[str, Any]:
    """What an event says as JSON, with what is personal where it belongs."""
    state = json.loads(encode(event, encode_meta(meta), lambda plain: plain))
    return with_personal(state, base64.b64decode(state["sealed"]) if "sealed" in state else b"{}")


def with_personal(state: dict[str, Any], plain: bytes) -> dict[str, Any]:
    """The stored values, and what was sealed put back."""
    own = json.loads(plain)
    details = state.get("details", {}) | own.pop("details", {})
    rest = {name: value for name, value in state.items() if name != "sealed"}
    return rest | own | ({"details": details} if details else {})


def unsealed(
    row: Mapping[str, Any], keys: Mapping[UUID, bytes], master: bytes | None = None
) -> dict[str, Any]:
    """The JSON of a row of the log, with what is personal in it if its lead has a key."""
    state: dict[str, Any] = json.loads(row["state"])
    wrapped = keys.get(row["originator_id"])
    if "sealed" not in state or wrapped is None:
        return {name: value for name, value in state.items() if name != "sealed"}
    stream = row["originator_id"]
    secret = _opened(master or _master(wrapped[:8]), f"key of {stream}", wrapped[8:])
    place = f"{stream}/{row['originator_version']}/{row['topic']}"
    return with_personal(state, _opened(secret, place, base64.b64decode(state["sealed"])))


def _opened(secret: bytes, place: str, sealed: bytes) -> bytes:
    return AESGCM(secret).decrypt(sealed[:12], sealed[12:], place.encode())


def _master(wanted: bytes) -> bytes:
    for line in Path(os.environ["LEADLOG_MASTER_KEY_FILE"]).read_text().split():
        key = base64.b64decode(line)
        if hashlib.sha256(b"leadlog master key\n" + key).digest()[:8] == wanted:
            return key
    raise AssertionError("the tests' master key did not wrap this")
