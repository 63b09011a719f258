"""Logins of the database that stand for a person: they read `member.*` within that person's scope.

Whoever administers the database makes the login itself; its password is none of ours.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from aggregates.refusal import Refusal

Conn = psycopg.Connection[Any]

MEMBER = "leadlog_member"
FIND = "SELECT rolcanlogin FROM pg_roles WHERE rolname = %s"
# Roles through which a login reads more than a scope: ours, PostgreSQL's own, and superusers.
WIDER = (
    "SELECT r.rolname FROM pg_roles r WHERE r.rolname <> %(member)s"
    " AND (r.rolsuper OR starts_with(r.rolname, 'leadlog_') OR starts_with(r.rolname, 'pg_'))"
    " AND pg_has_role(%(login)s, r.oid, 'MEMBER') ORDER BY r.rolname"
)
STANDS_FOR = "SELECT person FROM access.logins WHERE login = %s AND ended_at IS NULL"
GIVE = "INSERT INTO access.logins (login, person, given_by) VALUES (%s, %s, %s)"
END = (
    "UPDATE access.logins SET ended_at = now(), ended_by = %s"
    " WHERE login = %s AND ended_at IS NULL RETURNING person"
)
LIST = (
    "SELECT login, person, given_at, given_by, ended_at, ended_by FROM access.logins"
    " ORDER BY login, given_at"
)


class Login(NamedTuple):
    """A login, the person whose scope it reads, and from when to when."""

    login: str
    person: str
    given_at: datetime
    given_by: str
    ended_at: datetime | None
    ended_by: str | None


def give(conn: Conn, login: str, person: str, by: str) -> bool:
    """Let a login read what the person may see; False when it does already. Refusal when there is
    no such login, when it is somebody else's, or when it reads more through another role.
    """
    with conn.transaction():
        _require_narrow(conn, login)
        holder = conn.execute(STANDS_FOR, (login,)).fetchone()
        if holder and holder[0] != person:
            raise Refusal("login-taken", f"{login} is {holder[0]}'s: end that first")
        conn.execute(sql.SQL("GRANT leadlog_member TO {}").format(sql.Identifier(login)))
        if holder is None:
            conn.execute(GIVE, (login, person, by))
    return holder is None


def end(conn: Conn, login: str, by: str) -> str | None:
    """From now on the login sees nothing, in open sessions too; whose it was, None = nobody's."""
    with conn.transaction():
        ended = conn.execute(END, (by, login)).fetchone()
        if ended and conn.execute(FIND, (login,)).fetchone():
            conn.execute(sql.SQL("REVOKE leadlog_member FROM {}").format(sql.Identifier(login)))
    return str(ended[0]) if ended else None


def given(conn: Conn) -> Sequence[Login]:
    """All there are and were."""
    return [Login(*row) for row in conn.execute(LIST)]


def _require_narrow(conn: Conn, login: str) -> None:
    found = conn.execute(FIND, (login,)).fetchone()
    if not (found and found[0]):
        raise Refusal(
            "unknown-login", f"the database has no login {login}: CREATE ROLE {login} LOGIN first"
        )
    wider = conn.execute(WIDER, {"login": login, "member": MEMBER}).fetchall()
    if wider:
        roles = ", ".join(row[0] for row in wider)
        raise Refusal("login-too-wide", f"{login} reads all leads as {roles}: take another login")
