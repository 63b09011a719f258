"""Brings a database's schema up to date: SQL files, in order, each once, forward only.

Any number of processes may do this at once; each file is applied in its own transaction together
with the record of it. A file changed after it was applied, a file put before an applied one and a
database that knows more than this program are refused: StartupError, nothing done.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from eventsourcing.utils import strtobool
from psycopg.sql import SQL, Identifier

from adapters.settings import StartupError

MIGRATIONS = Path(__file__).with_name("migrations")
LOCK = 0x6C656164  # "lead", as a session-level advisory lock

OLDEST = 15_00_00
DURABLE = ("fsync", "full_page_writes", "synchronous_commit")

CREATE_RECORD = """
CREATE SCHEMA IF NOT EXISTS leadlog_meta;
CREATE TABLE IF NOT EXISTS leadlog_meta.migrations (
  name       text        PRIMARY KEY,
  checksum   text        NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
)"""

Conn = psycopg.Connection[Any]


@dataclass(frozen=True)
class Migration:
    """One file `NNNN_name.sql`; the name without `.sql` is what the database records."""

    name: str
    sql: bytes

    @property
    def checksum(self) -> str:
        """SHA-256 of the file, in hex."""
        return sha256(self.sql).hexdigest()


def migrate(dsn: str, *, directory: Path = MIGRATIONS, allow_unsafe: bool = False) -> list[str]:
    """Apply what is missing and return the names applied."""
    files = read_migrations(directory)
    with connect(dsn) as conn:
        check_server(conn, allow_unsafe=allow_unsafe)
        with _alone(conn):
            conn.execute(CREATE_RECORD)
            missing = _missing(files, _recorded(conn))
            for migration in missing:
                _apply(conn, migration)
    return [migration.name for migration in missing]


def read_migrations(directory: Path) -> list[Migration]:
    """The files of the directory in order; each has a number of its own."""
    files = sorted(directory.glob("*.sql"))
    numbers = [path.name[:4] for path in files if re.fullmatch(r"\d{4}_[a-z0-9_]+", path.stem)]
    if len(set(numbers)) != len(files):
        raise StartupError(f"{directory}: migrations are named NNNN_name.sql, each number once")
    return [Migration(path.stem, path.read_bytes()) for path in files]


def check_server(conn: Conn, *, allow_unsafe: bool = False) -> None:
    """Refuse a server on which leadlog's guarantees do not hold. `allow_unsafe` is for tests."""
    if conn.info.server_version < OLDEST:
        raise StartupError(f"PostgreSQL {conn.info.server_version // 10_000} is too old: use 15+")
    if _is_true(os.environ.get("POSTGRES_ENABLE_DB_FUNCTIONS")):
        raise StartupError(
            "POSTGRES_ENABLE_DB_FUNCTIONS is on: readers would miss events, unset it"
        )
    if (encoding := _setting(conn, "server_encoding")) != "UTF8":
        raise StartupError(f"the database's encoding is {encoding}: create it with UTF8")
    unsafe = [name for name in DURABLE if _setting(conn, name) == "off"]
    if unsafe and not allow_unsafe:
        raise StartupError(
            f"{', '.join(unsafe)} off: acknowledged commands could be lost, turn on in PostgreSQL"
        )


def ensure_database(dsn: str, name: str) -> None:
    """Create the database on the server of `dsn` unless it exists."""
    with connect(dsn) as conn, suppress(psycopg.errors.UniqueViolation):  # another was faster
        if not conn.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
            with suppress(psycopg.errors.DuplicateDatabase):
                conn.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))


@contextmanager
def connect(dsn: str) -> Iterator[Conn]:
    """An autocommit connection; StartupError if the server cannot be reached."""
    try:
        conn = psycopg.connect(dsn, autocommit=True)
    except psycopg.OperationalError as error:
        raise StartupError(f"cannot connect to PostgreSQL: {_one_line(error)}") from error
    with conn:
        yield conn


@contextmanager
def _alone(conn: Conn) -> Iterator[None]:
    """One migrating process at a time in this database; the lock ends with the session."""
    conn.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    yield
    conn.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _recorded(conn: Conn) -> dict[str, str]:
    rows = conn.execute("SELECT name, checksum FROM leadlog_meta.migrations ORDER BY name")
    return dict(rows.fetchall())


def _missing(files: list[Migration], recorded: dict[str, str]) -> list[Migration]:
    """The files to apply, if file and record agree on what was applied."""
    if unknown := recorded.keys() - {file.name for file in files}:
        raise StartupError(
            f"the database has migration {min(unknown)}, which this program does not know: "
            "use the newer leadlog that made it"
        )
    for file in files:
        if recorded.get(file.name, file.checksum) != file.checksum:
            raise StartupError(
                f"migration {file.name} was changed after it had been applied: "
                "restore the file and put the change into a new one"
            )
    missing = [file for file in files if file.name not in recorded]
    if missing and recorded and missing[0].name < max(recorded):
        raise StartupError(
            f"migration {missing[0].name} comes before {max(recorded)}, "
            "which is already applied: give it a higher number"
        )
    return missing


def _apply(conn: Conn, migration: Migration) -> None:
    try:
        with conn.transaction():
            conn.execute(migration.sql)
            conn.execute(
                "INSERT INTO leadlog_meta.migrations (name, checksum) VALUES (%s, %s)",
                [migration.name, migration.checksum],
            )
    except psycopg.Error as error:
        raise StartupError(f"migration {migration.name} failed: {_one_line(error)}") from error


def _setting(conn: Conn, name: str) -> str:
    row = conn.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None, "current_setting always answers"
    return str(row[0])


def _is_true(value: str | None) -> bool:
    """As the eventsourcing library reads its switches; what it cannot read counts as true."""
    try:
        return strtobool(value or "no")
    except ValueError:
        return True


def _one_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0]
