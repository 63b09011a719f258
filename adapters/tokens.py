"""Tokens of the API: `leadlog_` and 256 random bits, shown once; only their SHA-256 is stored.

Looking up a hash tells nothing about near misses, so there is no timing to exploit.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

import psycopg

from adapters.postgres.session import Session
from commands.caller import Principal

PREFIX = "leadlog_"
TRUSTED_SECONDS = 3.0
MAX_TRUSTED = 10_000

FIND = (
    "SELECT person, role FROM access.tokens"
    " WHERE hash = %s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"
)
# The name of a revoked token may be used again.
CREATE = (
    "INSERT INTO access.tokens AS t (hash, person, role, name) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (person, name) DO UPDATE SET hash = excluded.hash, role = excluded.role,"
    " created_at = now(), revoked_at = NULL WHERE t.revoked_at IS NOT NULL"
)
REVOKE = (
    "UPDATE access.tokens SET revoked_at = now()"
    " WHERE person = %s AND name = coalesce(%s, name) AND revoked_at IS NULL"
)
LIST = "SELECT person, role, name, created_at, revoked_at FROM access.tokens ORDER BY person, name"

Conn = psycopg.Connection[Any]


class Issued(NamedTuple):
    """A token as the list of them shows it."""

    person: str
    role: str
    name: str
    created_at: datetime
    revoked_at: datetime | None


def issue(conn: Conn, person: str, role: str, name: str) -> str | None:
    """A new token for a person; None when one of theirs has this name already."""
    token = PREFIX + secrets.token_urlsafe(32)
    made = conn.execute(CREATE, (_hash(token), person, role, name)).rowcount
    return token if made else None


def revoke(conn: Conn, person: str, name: str | None = None) -> int:
    """End a person's token, or all of them; returns how many."""
    return conn.execute(REVOKE, (person, name)).rowcount


def issued(conn: Conn) -> Sequence[Issued]:
    """Every token that was ever made."""
    return [Issued(*row) for row in conn.execute(LIST)]


class TokenStore:
    """Whom a token belongs to. What was found is trusted for 3 seconds: so long may a revoked
    token live on in a process that has just seen it.
    """

    def __init__(self, dsn: str) -> None:
        self._session = Session(dsn, "leadlog_writer")
        self._trusted: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()

    async def principal(self, token: str) -> Principal | None:
        """The person; None for a token that is unknown, expired or revoked."""
        if not token.startswith(PREFIX):
            return None
        digest = _hash(token)
        found = self._trusted.get(digest)
        if found and found[1] > time.monotonic():
            return found[0]
        rows = await self._session.rows(FIND, (digest,))
        principal = Principal(*rows[0]) if rows else None
        self._remember(digest, principal)
        return principal

    async def revoke(self, person: str) -> None:
        """End all of a person's tokens; other processes notice within 3 seconds."""
        await self._session.rows(f"{REVOKE} RETURNING name", (person, None))
        for digest in [d for d, (known, _) in self._trusted.items() if known.name == person]:
            del self._trusted[digest]

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    def _remember(self, digest: bytes, principal: Principal | None) -> None:
        self._trusted.pop(digest, None)
        if principal:
            self._trusted[digest] = principal, time.monotonic() + TRUSTED_SECONDS
        if len(self._trusted) > MAX_TRUSTED:
            self._trusted.popitem(last=False)


def _hash(token: str) -> bytes:
    return sha256(token.encode()).digest()
