"""`leadlog users` and `leadlog tokens`: who may call the API."""

from pathlib import Path

import psycopg
import pytest

from adapters.people import first_administrator
from adapters.tokens import TokenStore
from aggregates.directory.events import PersonAdded
from commands.access import Ended
from commands.caller import Principal
from tests.integration.program import Program
from tests.integration.report_log import Log, assigned

pytestmark = pytest.mark.anyio


@pytest.fixture
def leadlog(dsn: str) -> Program:
    return Program(dsn)


async def test_a_token_belongs_to_a_person_until_it_is_revoked(dsn: str, leadlog: Program) -> None:
    leadlog("users", "add", "王芳", "--role", "sales", "--team", "华东", "--email", "w@a.cn")
    first, second = (
        leadlog("tokens", "create", "--user", "王芳", "--name", name).strip()
        for name in ("laptop", "phone")
    )
    store = TokenStore(dsn)
    assert await store.principal(first) == Principal("王芳", "sales")
    leadlog("tokens", "create", "--user", "王芳", "--name", "phone", refused="has a token named")
    leadlog("tokens", "revoke", "--user", "王芳", "--name", "phone")
    leadlog("tokens", "revoke", "--user", "王芳", "--name", "phone", refused="no valid token")
    fresh = TokenStore(dsn)
    with pytest.raises(Ended):
        await fresh.principal(second)
    assert await fresh.principal(first) is not None
    listed = leadlog("tokens", "list")
    assert first not in listed
    assert "laptop" in listed
    leadlog("tokens", "revoke", "--user", "王芳")
    await store.close()
    await fresh.close()


def test_a_person_is_added_once(dsn: str, leadlog: Program) -> None:
    for _ in range(2):
        leadlog("users", "add", "王芳", "--role", "sales")
    with psycopg.connect(dsn) as conn:
        assert conn.execute("SELECT count(*) FROM log.leadlog_events").fetchone() == (1,)
    leadlog("users", "add", "王芳", "--role", "admin", refused="already in the directory")
    leadlog("users", "add", "李雷", "--role", "king", refused="the role is one of")
    leadlog("tokens", "create", "--user", "李雷", "--name", "x", refused="has no role")


def test_where_there_is_a_token_nobody_becomes_administrator(
    dsn: str, tmp_path: Path, leadlog: Program
) -> None:
    leadlog("users", "add", "王芳", "--role", "admin")
    leadlog("tokens", "create", "--user", "王芳", "--name", "laptop")
    assert first_administrator(dsn, tmp_path, 365) is None
    assert list(tmp_path.iterdir()) == []


def test_people_are_listed_with_those_that_only_an_import_knows(dsn: str, leadlog: Program) -> None:
    Log(dsn).append(("import", PersonAdded(name="赵敏")), assigned("lead", None, "赵敏"))
    leadlog("users", "add", "王芳 [red]", "--role", "sales", "--email", "w@a.cn")
    listed = leadlog("users", "list")
    assert "赵敏" in listed
    assert "王芳 [red]" in listed, "no markup in names"
    assert "w@a.cn" in listed
