"""People who connect to PostgreSQL directly: logins of the database, made for one test."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from adapters import sql_logins

Conn = psycopg.Connection[Any]


class Logins:
    """Makes logins whose names no other test has, and connects as them."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.names: list[str] = []

    def make(self, kind: str, role: str | None = None) -> str:
        """A login of this kind; `role` is granted to it."""
        name = f"{kind}_{conninfo_to_dict(self.dsn)['dbname']}"
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
            self.names.append(name)
            if role:
                grant = sql.SQL("GRANT {} TO {}")
                conn.execute(grant.format(sql.Identifier(role), sql.Identifier(name)))
        return name

    def member(self, kind: str, person: str) -> str:
        """A login that stands for a person."""
        name = self.make(kind)
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            sql_logins.give(conn, name, person, "operator:test")
        return name

    def dsn_of(self, name: str) -> str:
        """How it connects."""
        return make_conninfo(self.dsn, user=name)

    def connect(self, name: str) -> Conn:
        """A connection as a login."""
        return psycopg.connect(self.dsn_of(name), autocommit=True)

    def asks(self, name: str, statement: str) -> list[tuple[Any, ...]]:
        """What a login gets for one statement."""
        with self.connect(name) as conn:
            return conn.execute(statement.encode()).fetchall()

    def drop(self) -> None:
        """Take everything back: roles are the whole cluster's."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            for name in self.names:
                for statement in ("DROP OWNED BY {} CASCADE", "DROP ROLE {}"):
                    conn.execute(sql.SQL(statement).format(sql.Identifier(name)))


@contextmanager
def made(dsn: str) -> Iterator[Logins]:
    """Logins for as long as a test lasts."""
    logins_ = Logins(dsn)
    try:
        yield logins_
    finally:
        logins_.drop()
