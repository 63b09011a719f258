"""One PostgreSQL connection that comes back by itself.

Only for statements that may safely be sent twice: reads, and writes whose repetition the database
recognises (the ledger). A statement is repeated after a lost connection for `patience` seconds.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql

from commands.ports import Unavailable

CONNECTION_LOST = (psycopg.OperationalError, psycopg.InterfaceError)
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5


class Session:
    """A lazily opened autocommit connection acting as `role`; statements run one at a time."""

    def __init__(self, dsn: str, role: str, *, patience: float = 10.0) -> None:
        self._dsn = dsn
        self._role = role
        self._patience = patience
        self._conn: AsyncConnection[tuple[Any, ...]] | None = None
        self._turn = asyncio.Lock()

    async def rows(self, statement: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of a prepared statement, in binary; raises Unavailable when patience ends."""
        async with self._turn:
            return await self._rows(statement, params)

    async def _rows(self, statement: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        deadline = time.monotonic() + self._patience
        pause = FIRST_PAUSE
        while True:
            try:
                conn = self._conn or await self._connect()
                cursor = conn.cursor(binary=True)
                await cursor.execute(statement, params, prepare=True)
                return await cursor.fetchall()
            except CONNECTION_LOST as error:
                await self.close()
                if time.monotonic() > deadline:
                    raise Unavailable(f"the database does not answer: {error}") from error
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def close(self) -> None:
        """Close the connection; the next call opens another."""
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()

    async def _connect(self) -> AsyncConnection[tuple[Any, ...]]:
        conn = await AsyncConnection.connect(self._dsn, autocommit=True, connect_timeout=5)
        try:
            await conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(self._role)))
        except BaseException:
            await conn.close()
            raise
        self._conn = conn
        return conn
