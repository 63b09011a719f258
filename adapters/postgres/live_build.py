"""Asks the live build of one projection, whichever that is by then: one statement, one snapshot."""

from collections.abc import Sequence
from typing import Any

import psycopg

from adapters.postgres.session import Session
from commands.ports import Unavailable

LIVE = "SELECT generation FROM projection.builds WHERE name = %b AND state = 'live'"
# What is asked of a build's tables, beside its position; no row when it is not the live one.
ON_BUILD = (
    "SELECT b.position, asked.* FROM projection.builds b LEFT JOIN LATERAL ({asked}) asked ON true"
    " WHERE b.name = '{name}' AND b.state = 'live' AND b.generation = {generation}"
)


class LiveBuild:
    """Reads as `leadlog_projector`. `name` is the projection's."""

    def __init__(self, dsn: str, name: str) -> None:
        self._session = Session(dsn, "leadlog_projector")
        self._name, self._generation = name, 0

    async def rows(self, statement: str, *params: Any) -> Sequence[tuple[Any, ...]]:
        """What any other statement says, such as one on the log."""
        return await self._session.rows(statement, params)

    async def ask(self, asked: str, *params: Any) -> tuple[int, list[tuple[Any, ...]]]:
        """The build's position and the rows of `asked`, a statement on `{schema}`; a rebuild may
        have replaced it meanwhile. Raises Unavailable.
        """
        rows = await self._on_build(asked, params)
        if not rows:
            live = await self._session.rows(LIVE, (self._name,))
            self._generation = live[0][0] if live else 0
            rows = await self._on_build(asked, params)
        if not rows:
            raise Unavailable(f"the read model {self._name} is not there yet")
        return rows[0][0], [row[1:] for row in rows if row[1] is not None]

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    async def _on_build(self, asked: str, params: Sequence[Any]) -> Sequence[tuple[Any, ...]]:
        if not self._generation:
            return []
        schema = f"p_{self._name}_{self._generation}"
        statement = ON_BUILD.format(asked=asked, name=self._name, generation=self._generation)
        try:
            return await self._session.rows(statement.format(schema=schema), params)
        except psycopg.errors.UndefinedTable:
            return []
