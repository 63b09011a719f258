"""Sessions of the page in a browser: the cookie holds 256 random bits, the database their SHA-256.

A session ends by itself some hours after it began, or some minutes after its last use; with the
token that opened it; and with all access of its person.
"""

import secrets
from datetime import datetime

from adapters.last_use import LastUse
from adapters.postgres.session import Session
from adapters.tokens import digest, still_good
from adapters.trust import Trusted
from commands.access import Ended, Opened
from commands.caller import Principal

MOST_OF_ONE_PERSON = 20
"""Beyond, the oldest ones end."""
KEPT_DAYS = 30
"""So long after its end a session is still told from one that never was: it was no guess."""

FIND = """
SELECT s.person, s.role,
  s.expires_at > now() AND s.last_used_at > now() - make_interval(secs => %s)
  AND (s.token IS NULL OR (t.hash IS NOT NULL AND t.revoked_at IS NULL
       AND (t.expires_at IS NULL OR t.expires_at > now())))
FROM access.sessions s LEFT JOIN access.tokens t ON t.hash = s.token WHERE s.hash = %s
"""
# Those that ended long ago, whosever they were, go on the way; those that are too many end.
OPEN = f"""
WITH gone AS (
  DELETE FROM access.sessions WHERE hash IN (
    SELECT hash FROM access.sessions WHERE expires_at < now() - interval '{KEPT_DAYS} days'
    LIMIT 100 FOR UPDATE SKIP LOCKED)
), too_many AS (
  UPDATE access.sessions SET expires_at = now() WHERE hash IN (
    SELECT hash FROM access.sessions WHERE person = %(person)s AND expires_at > now()
    ORDER BY created_at DESC OFFSET {MOST_OF_ONE_PERSON - 1})
)
INSERT INTO access.sessions (hash, person, role, token, expires_at)
SELECT %(hash)s::bytea, %(person)s::text, %(role)s::text, %(token)s::bytea, least(
  now() + make_interval(secs => %(seconds)s),
  (SELECT expires_at FROM access.tokens WHERE hash = %(token)s::bytea))
ON CONFLICT (hash) DO UPDATE SET last_used_at = now()
RETURNING expires_at
"""
EXPIRES = "SELECT expires_at FROM access.sessions WHERE hash = %s"
END = (
    "UPDATE access.sessions SET expires_at = now()"
    " WHERE hash = %s AND expires_at > now() RETURNING 1"
)


class SessionStore:
    """Whose session a cookie is; what was found is trusted for a moment.

    A session lives for `seconds`, and for `idle_seconds` after its last use.
    """

    def __init__(self, dsn: str, *, seconds: float, idle_seconds: float) -> None:
        self._session = Session(dsn, "leadlog_writer")
        self._trusted: Trusted[Principal] = Trusted()
        self._use = LastUse(self._session, "access.sessions")
        self._seconds = seconds
        self._idle_seconds = idle_seconds

    def familiar(self, cookie: str) -> bool:
        """Whether the session was there when it was looked up last."""
        return self._trusted.familiar(digest(cookie))

    async def principal(self, cookie: str) -> Principal | None:
        """The person; None for an unknown session, Ended for one that was."""
        hashed = digest(cookie)
        if found := self._trusted.get(hashed):
            return found
        rows = await self._session.rows(FIND, (self._idle_seconds, hashed))
        principal = still_good(rows)
        self._trusted.keep(hashed, principal)
        if principal:
            self._use.note(hashed)
        elif rows:
            raise Ended
        return principal

    async def open(self, principal: Principal, token: str | None) -> Opened:
        """A new session; with a token of ours it ends when that token does.

        It is familiar from the beginning, whatever its address has tried before.
        """
        cookie = secrets.token_urlsafe(32)
        hashed = digest(cookie)
        given = {
            "hash": hashed,
            "person": principal.name,
            "role": principal.role,
            "token": digest(token) if token else None,
            "seconds": self._seconds,
        }
        rows = await self._session.rows(OPEN, given)
        self._trusted.keep(hashed, principal)
        return Opened(cookie, rows[0][0])

    async def expires_at(self, cookie: str) -> datetime | None:
        """When a session ends at the latest; None for an unknown one."""
        rows = await self._session.rows(EXPIRES, (digest(cookie),))
        return rows[0][0] if rows else None

    async def end(self, cookie: str) -> None:
        """End a session, if there is one. Other processes notice within 3 seconds."""
        hashed = digest(cookie)
        self._trusted.keep(hashed, None)
        await self._session.rows(END, (hashed,))

    def forget(self, person: str) -> None:
        """All sessions of a person have ended: trust none any longer."""
        self._trusted.forget(lambda known: known.name == person)

    async def close(self) -> None:
        """Write what is noted and close the connection."""
        await self._use.close()
        await self._session.close()
