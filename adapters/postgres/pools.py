"""Connections for questions that may take a while: a few, each acting as a role, none for ever."""

from functools import partial

import msgspec
from psycopg import sql
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool

from adapters.postgres.tables import Connection


def question_pool(
    dsn: str, role: str, *, most: int, longest: str, least: int = 0
) -> ConnectionPool[Connection]:
    """Between `least` and `most` connections in autocommit, still to be opened. A statement that
    takes longer than `longest`, such as 10s, is ended by the server.
    """
    return ConnectionPool(
        dsn,
        kwargs={"autocommit": True},
        min_size=least,
        max_size=most,
        num_workers=1,
        open=False,
        configure=partial(_configure, role, longest),
        check=ConnectionPool.check_connection,
    )


def _configure(role: str, longest: str, conn: Connection) -> None:
    conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    conn.execute(sql.SQL("SET statement_timeout = {}").format(longest))
    set_json_loads(msgspec.json.decode, conn)
