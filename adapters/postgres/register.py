"""The register out of the log: folded once, then kept up by one small query a second."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from adapters.postgres.log_reader import COLUMNS, Connection, LogRow, decode
from adapters.postgres.session import Session
from commands.register import Register, advance

FRESH_SECONDS = 1.0

# Changes of the directory and of policies behind a position; served by leadlog_events_register_idx.
CHANGES = (
    f"SELECT {COLUMNS} FROM log.leadlog_events"
    " WHERE (topic LIKE 'directory.%%' OR topic LIKE 'policy.%%') AND notification_id > %s"
    " ORDER BY notification_id"
)
CHANGES_UPTO = CHANGES.replace(" ORDER BY", " AND notification_id <= %s ORDER BY")


def read_register(conn: Connection, upto: int | None = None) -> Register:
    """The register as it is, or as it was at a position of the log."""
    cursor = conn.cursor(binary=True)
    if upto is None:
        cursor.execute(CHANGES, (0,))
    else:
        cursor.execute(CHANGES_UPTO, (0, upto))
    return _advanced(Register(), cursor.fetchall())


class PostgresRegistry:
    """The `Registry` port. Whoever asks while the register is being refreshed waits for that."""

    def __init__(self, dsn: str, *, role: str = "leadlog_writer") -> None:
        self._session = Session(dsn, role)
        self._register = Register()
        self._fresh_until = 0.0
        self._turn = asyncio.Lock()

    async def current(self) -> Register:
        """The register, at most a second old. Unavailable when the database does not answer."""
        if time.monotonic() >= self._fresh_until:
            async with self._turn:
                if time.monotonic() >= self._fresh_until:
                    await self._refresh()
        return self._register

    async def latest(self) -> Register:
        """The register as the log has it now. Unavailable when the database does not answer."""
        async with self._turn:
            await self._refresh()
        return self._register

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    async def _refresh(self) -> None:
        asked = time.monotonic()
        rows: Sequence[Any] = await self._session.rows(CHANGES, (self._register.position,))
        self._register = _advanced(self._register, rows)
        self._fresh_until = asked + FRESH_SECONDS


def _advanced(register: Register, rows: Sequence[LogRow]) -> Register:
    return advance(register, decode(rows)) if rows else register
