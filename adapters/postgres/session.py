"""One PostgreSQL connection that comes back by itself.

Only for statements that may safely be sent twice: reads, and writes whose repetition the database
recognises (the ledger). A statement is repeated after a lost connection until `patience` seconds
after it was asked for.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql

from commands.ports import Unavailable

Params = Sequence[Any] | Mapping[str, Any]

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

    async def rows(self, statement: str, params: Params) -> list[tuple[Any, ...]]:
        """The rows of a prepared statement, in binary; raises Unavailable when patience ends.

        The time that the statements before it take counts.
        """
        deadline = time.monotonic() + self._patience
        await self._take_turn()
        try:
            return await self._rows(statement, params, deadline)
        finally:
            self._turn.release()

    async def _take_turn(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._turn.acquire()
        except TimeoutError:
            raise Unavailable("the database does not answer those who asked before") from None

    async def _rows(self, statement: str, params: Params, deadline: float) -> list[tuple[Any, ...]]:
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
