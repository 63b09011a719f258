"""People's tokens, and the first administrator.

A person is an entry of the directory, by events; a token is a secret and never is one.
"""

import os
from pathlib import Path

import psycopg

from adapters.directory import carry_out
from adapters.tokens import in_days, issue, issued
from commands.company.people import AddPerson
from commands.company.wiring import Subject

ADMINISTRATOR = "admin"
TOKEN_FILE = "admin-token"  # noqa: S105 - a file's name


def first_administrator(dsn: str, data_dir: Path, days: float) -> str | None:
    """On a database without tokens: make an administrator and a token for so many days; None
    otherwise.

    The token also goes into a file that only its owner can read.
    """
    with psycopg.connect(dsn, autocommit=True) as conn:
        if issued(conn):
            return None
        carry_out(dsn, AddPerson(name=ADMINISTRATOR, role="admin"), Subject(ADMINISTRATOR))
        token = issue(conn, ADMINISTRATOR, "admin", "first start", in_days(days))
    if token:
        data_dir.mkdir(parents=True, exist_ok=True)
        file = os.open(data_dir / TOKEN_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w") as stream:
            stream.write(token + "\n")
    return token
