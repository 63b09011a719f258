"""docs/how-to/sql-access.md, every line: what it says to type works and does what it says."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from tests.conftest import ROOT
from tests.integration import sql_logins
from tests.integration.report_log import Log, assigned, captured
from tests.integration.sql_logins import Logins
from tests.integration.test_audit import run

PAGE = ROOT / "docs" / "how-to" / "sql-access.md"
BLOCK = re.compile(r"^```(sql|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOGINS = ("bi_reports", "wang_fang", "zheng_audit")


@pytest.fixture
def logins(dsn: str) -> Iterator[Logins]:
    with sql_logins.made(dsn) as logins:
        yield logins
        with psycopg.connect(dsn, autocommit=True) as conn:
            for name in LOGINS:
                if conn.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,)).rowcount:
                    conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def typed(logins: Logins, kind: str, text: str) -> list[list[tuple[Any, ...]]]:
    """Do what a block says; the rows of each query."""
    if kind == "sh":
        for line in text.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "leadlog"
            done = run(logins.dsn, *arguments)
            assert done.returncode == 0, (line, done.stderr)
        return []
    found = re.match(r"-- as (\w+)\n", text)
    with psycopg.connect(logins.dsn_of(found[1]) if found else logins.dsn, autocommit=True) as conn:
        cursor = conn.execute(text.encode())
        rows = []
        while True:
            if cursor.description:
                rows.append(cursor.fetchall())
            if not cursor.nextset():
                return rows


def test_what_the_page_says_works(dsn: str, logins: Logins) -> None:
    log = Log(dsn)
    log.append(
        captured("a", "2024-05-01", source="官网"), assigned("a", None, "王芳"),
        captured("b", "2024-05-01", source="官网"), assigned("b", None, "吴刚"),
    )  # fmt: skip
    catch_up(dsn)
    told: dict[str, list[list[tuple[Any, ...]]]] = {}
    for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        rows = typed(logins, kind, text)
        if found := re.match(r"-- as (\w+)\n", text):
            told[found[1]] = rows
    assert told["bi_reports"] == [[("官网", 2, 0, 0)]]
    assert [row[0] for row in told["wang_fang"][0]] == ["X-a"], "hers alone"
    assert len(told["zheng_audit"][0]) > 4
    assert told.keys() == set(LOGINS)
    # The locks are shut for people, and open for the service.
    other = logins.make("other", "leadlog_member")
    with logins.connect(other) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("SELECT pg_advisory_lock(7220501)")
    log.append(captured("c", None))
    with connect(dsn) as conn:
        conn.execute("SELECT pg_try_advisory_xact_lock(1)")
    assert run(dsn, "migrate").returncode == 0


REFUSED = [
    (("logins", "add", "no_such_login", "--user", "王芳"), "CREATE ROLE no_such_login LOGIN first"),
    (("logins", "add", "postgres", "--user", "王芳"), "postgres reads all leads as"),
    (("logins", "add", "no_such_login", "--user", "某人"), "leadlog users add 某人"),
    (("logins", "end", "no_such_login"), "no_such_login is nobody's login"),
]


@pytest.mark.parametrize(("line", "why"), REFUSED)
def test_what_cannot_be_given_is_said_in_a_line(dsn: str, line: tuple[str, ...], why: str) -> None:
    added = run(dsn, "users", "add", "王芳", "--role", "supervisor", "--team", "华东")
    assert added.returncode == 0, added.stderr
    done = run(dsn, *line)
    assert done.returncode == 1
    assert why in done.stderr and done.stderr.count("\n") == 1
