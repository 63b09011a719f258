"""Tokens of the API: `leadlog_` and 256 random bits, shown once; only their SHA-256 is stored.

Looking up a hash tells nothing about near misses, so there is no timing to exploit.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import psycopg

from adapters.last_use import LastUse
from adapters.postgres.session import Session
from adapters.trust import Trusted
from commands.access import Ended, Issued
from commands.caller import Principal

PREFIX = "leadlog_"
BEFORE_ALL = datetime.min.replace(tzinfo=UTC)

FIND = (
    "SELECT person, role, revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())"
    " FROM access.tokens WHERE hash = %s"
)
# A token that has expired gives its name up and stays on record. A statement that is sent again
# after a lost connection finds its own token.
CREATE = """
WITH expired AS (
  UPDATE access.tokens SET revoked_at = now() WHERE person = %(person)s AND name = %(name)s
    AND revoked_at IS NULL AND expires_at <= now() RETURNING 1
)
INSERT INTO access.tokens AS t (hash, person, role, name, expires_at, created_by)
SELECT %(hash)s::bytea, %(person)s::text, %(role)s::text, %(name)s::text,
  %(expires_at)s::timestamptz, %(by)s::text
FROM (SELECT count(*) FROM expired) first
ON CONFLICT (person, name) WHERE revoked_at IS NULL
DO UPDATE SET hash = excluded.hash WHERE t.hash = excluded.hash RETURNING 1
"""
# Without a name all tokens end, and all sessions too, whatever had opened them. A session whose
# token has ended is not found any more (adapters/sessions.py).
REVOKE = (
    "WITH ended AS ("
    "UPDATE access.sessions SET expires_at = now()"
    " WHERE person = %(person)s AND expires_at > now() AND %(name)s::text IS NULL)"
    " UPDATE access.tokens SET revoked_at = now() WHERE person = %(person)s"
    " AND name = coalesce(%(name)s::text, name) AND revoked_at IS NULL RETURNING 1"
)
LIST = (
    "SELECT person, role, name, created_at, created_by, expires_at, last_used_at, revoked_at"
    " FROM access.tokens {} ORDER BY person, name, created_at"
)
EVERY = LIST.format("")
OF_ONE = (
    LIST.format(
        "WHERE person = %(person)s AND (name, created_at) > (%(name)s::text, %(created_at)s)"
    )
    + " LIMIT %(limit)s"
)

Conn = psycopg.Connection[Any]


def in_days(days: float) -> datetime:
    """The instant that many days from now."""
    return datetime.now(UTC) + timedelta(days=days)


def issue(
    conn: Conn, person: str, role: str, name: str, expires_at: datetime | None = None, by: str = ""
) -> str | None:
    """A new token for a person; None when a valid one of theirs has this name already.

    `expires_at` None = never; `by` is the actor who makes it.
    """
    token, given = _made(person, role, name, expires_at, by)
    return token if conn.execute(CREATE, given).rowcount else None


def revoke(conn: Conn, person: str, name: str | None = None) -> int:
    """End a person's token, or all of them and their sessions; returns how many tokens."""
    return conn.execute(REVOKE, {"person": person, "name": name}).rowcount


def issued(conn: Conn) -> Sequence[Issued]:
    """Every token that was ever made."""
    return [Issued(*row) for row in conn.execute(EVERY)]


class TokenStore:
    """Whom a token belongs to; what was found is trusted for a moment."""

    def __init__(self, dsn: str) -> None:
        self._session = Session(dsn, "leadlog_writer")
        self._trusted: Trusted[Principal] = Trusted()
        self._use = LastUse(self._session, "access.tokens")

    def familiar(self, token: str) -> bool:
        """Whether the token was good when it was looked up last."""
        return self._trusted.familiar(digest(token))

    async def principal(self, token: str) -> Principal | None:
        """The person; None for an unknown token, Ended for one that has expired or is revoked."""
        if not token.startswith(PREFIX):
            return None
        hashed = digest(token)
        if found := self._trusted.get(hashed):
            return found
        rows = await self._session.rows(FIND, (hashed,))
        principal = still_good(rows)
        self._trusted.keep(hashed, principal)
        if principal:
            self._use.note(hashed)
        elif rows:
            raise Ended
        return principal

    async def create(
        self, person: str, role: str, name: str, expires_at: datetime | None, by: str
    ) -> str | None:
        """As `issue`."""
        token, given = _made(person, role, name, expires_at, by)
        return token if await self._session.rows(CREATE, given) else None

    async def issued_to(
        self, person: str, after: tuple[str, datetime] | None, limit: int
    ) -> Sequence[Issued]:
        """Every token that was ever made for a person, by name and time; those after a place."""
        name, created_at = after or ("", BEFORE_ALL)
        given = {"person": person, "name": name, "created_at": created_at, "limit": limit}
        return [Issued(*row) for row in await self._session.rows(OF_ONE, given)]

    async def end(self, person: str, name: str | None = None) -> int:
        """As `revoke`; other processes notice within 3 seconds."""
        given = {"person": person, "name": name}
        ended = len(await self._session.rows(REVOKE, given))
        self._trusted.forget(lambda known: known.name == person)
        return ended

    async def close(self) -> None:
        """Write what is noted and close the connection."""
        await self._use.close()
        await self._session.close()


def still_good(rows: Sequence[Sequence[Any]]) -> Principal | None:
    """The person of the row (person, role, whether it is good), if there is one and it is."""
    return next((Principal(person, role) for person, role, good in rows if good), None)


def digest(secret: str) -> bytes:
    """What is stored of a secret."""
    return sha256(secret.encode()).digest()


def _made(
    person: str, role: str, name: str, expires_at: datetime | None, by: str
) -> tuple[str, Mapping[str, Any]]:
    token = PREFIX + secrets.token_urlsafe(32)
    return token, {
        "hash": digest(token),
        "person": person,
        "role": role,
        "name": name,
        "expires_at": expires_at,
        "by": by or None,
    }
