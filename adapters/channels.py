"""Channels: keys that let a form or a webhook enter leads of one source, and nothing else (R1).

A key is `leadlog_in_` and 192 random bits, shown once; only its SHA-256 is stored.
"""

import secrets
import time
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b, sha256
from typing import Any, NamedTuple

import psycopg

from adapters.postgres.session import Session
from commands.caller import Channel

PREFIX = "leadlog_in_"
TRUSTED_SECONDS = 3.0
MAX_TRUSTED = 10_000
WINDOW = "10 minutes"

FIND = "SELECT name, source, per_minute FROM access.channels WHERE hash = %s AND revoked_at IS NULL"
# A revoked channel's name may be used again.
CREATE = (
    "INSERT INTO access.channels AS c (name, hash, source, per_minute) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, source = excluded.source,"
    " per_minute = excluded.per_minute, created_at = now(), revoked_at = NULL"
    " WHERE c.revoked_at IS NOT NULL"
)
REVOKE = "UPDATE access.channels SET revoked_at = now() WHERE name = %s AND revoked_at IS NULL"
LIST = "SELECT name, source, per_minute, created_at, revoked_at FROM access.channels ORDER BY name"
# When this body was submitted first, within the window; older ones are forgotten on the way.
FIRST_SEEN = (
    "WITH forgotten AS (DELETE FROM access.submissions WHERE digest IN"
    f" (SELECT digest FROM access.submissions WHERE at < now() - interval '{WINDOW}'"
    "  AND digest <> %b LIMIT 10 FOR UPDATE SKIP LOCKED))"
    " INSERT INTO access.submissions AS s (digest, at) VALUES (%b, now())"
    " ON CONFLICT (digest) DO UPDATE SET at ="
    f" CASE WHEN s.at < now() - interval '{WINDOW}' THEN now() ELSE s.at END"
    " RETURNING extract(epoch FROM at)::text"
)

Conn = psycopg.Connection[Any]


class Issued(NamedTuple):
    """A channel as the list of them shows it."""

    name: str
    source: str
    per_minute: int
    created_at: datetime
    revoked_at: datetime | None


def add(conn: Conn, name: str, source: str, per_minute: int) -> str | None:
    """A new channel's key; None when one has this name already."""
    key = PREFIX + secrets.token_urlsafe(24)
    made = conn.execute(CREATE, (name, _hash(key), source, per_minute)).rowcount
    return key if made else None


def revoke(conn: Conn, name: str) -> bool:
    """End a channel; False when there is none of this name."""
    return bool(conn.execute(REVOKE, (name,)).rowcount)


def channels(conn: Conn) -> Sequence[Issued]:
    """Every channel that was ever made."""
    return [Issued(*row) for row in conn.execute(LIST)]


class ChannelStore:
    """The `Channels` of the API. What was found is trusted for 3 seconds."""

    def __init__(self, dsn: str, secret: bytes) -> None:
        self._session = Session(dsn, "leadlog_writer")
        self._secret = secret
        self._trusted: dict[bytes, tuple[Channel, float]] = {}

    async def find(self, key: str) -> Channel | None:
        """The channel of a key; None for one that is unknown or revoked."""
        if not key.startswith(PREFIX):
            return None
        digest = _hash(key)
        found = self._trusted.get(digest)
        if found and found[1] > time.monotonic():
            return found[0]
        rows = await self._session.rows(FIND, (digest,))
        self._trusted.pop(digest, None)
        if not rows:
            return None
        if len(self._trusted) >= MAX_TRUSTED:
            self._trusted.clear()
        channel = Channel(*rows[0])
        self._trusted[digest] = channel, time.monotonic() + TRUSTED_SECONDS
        return channel

    async def submission(self, channel: Channel, body: str) -> str:
        """A name for a body: the same one for the same body of a channel within ten minutes."""
        said = f"{channel.name}\n{body}".encode()
        digest = blake2b(said, key=self._secret, digest_size=16).digest()
        rows = await self._session.rows(FIRST_SEEN, (digest, digest))
        return f"{digest.hex()}@{rows[0][0]}"

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()


def _hash(key: str) -> bytes:
    return sha256(key.encode()).digest()
