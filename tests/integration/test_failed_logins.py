"""Failed logins are limited and tell nothing; neither do leads and channels that are not there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from httpx import ASGITransport, AsyncClient, Response

from adapters import channels, trust
from adapters.tokens import in_days, issue, revoke
from api import throttle
from api.throttle import FailedLogins
from tests.integration.api_client import Api, problem, running

pytestmark = pytest.mark.anyio

ME = "/v1/session"


@asynccontextmanager
async def at(api: Api, address: str) -> AsyncIterator[AsyncClient]:
    """A client at this address."""
    transport = ASGITransport(api.app, client=(address, 4711), raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://api") as client:
        yield client


async def tries(client: AsyncClient, token: str, times: int = 1) -> list[Response]:
    headers = {"Authorization": f"Bearer {token}"}
    return [await client.get(ME, headers=headers) for _ in range(times)]


def statuses(answers: list[Response]) -> list[int]:
    return [answer.status_code for answer in answers]


async def test_who_fails_too_often_has_to_wait_and_nobody_else(dsn: str) -> None:
    async with running(dsn, login_failures=3) as api, at(api, "192.0.2.1") as thief:
        token, other = api.token("sales"), api.token("admin")
        assert statuses(await tries(thief, token)) == [200]
        answers = await tries(thief, "leadlog_guess", 5)
        assert statuses(answers) == [401, 401, 401, 429, 429]
        problem(answers[-1], 429, "too-many-failed-logins")
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 61
        assert statuses(await tries(thief, token)) == [200], "it has worked before"
        assert statuses(await tries(thief, "leadlog_another")) == [429]
        async with at(api, "192.0.2.2") as colleague:
            assert statuses(await tries(colleague, other)) == [200]
        async with at(api, "192.0.2.1") as neighbour:  # behind the same router
            assert statuses(await tries(neighbour, other)) == [200]


async def test_an_unknown_credential_is_not_looked_up_for_one_who_has_to_wait(dsn: str) -> None:
    async with running(dsn, login_failures=2) as api, at(api, "192.0.2.1") as thief:
        await tries(thief, "leadlog_guess", 2)
        assert statuses(await tries(thief, api.token("sales"))) == [429]
        headers = {"Cookie": "__Host-leadlog=guess"}
        assert (await thief.get(ME, headers=headers)).status_code == 429
        assert (await thief.get(ME)).status_code == 401, "who tries nothing has not failed"


async def test_guessing_channel_keys_is_limited_and_a_right_one_is_not(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        key = channels.add(conn, "form", "官网注册", 60)
    async with running(dsn, login_failures=2) as api, at(api, "192.0.2.1") as client:
        paths = ("leadlog_in_a", "leadlog_in_b", "leadlog_in_c", key)
        answers = [await client.post(f"/v1/intake/{k}", json={"customer": "A"}) for k in paths]
        assert statuses(answers) == [404, 404, 429, 201]


async def test_many_addresses_together_lock_nobody_out(dsn: str) -> None:
    async with running(dsn, login_failures=100, login_failures_total=5) as api:
        for n in range(5):
            async with at(api, f"192.0.2.{n}") as thief:
                assert statuses(await tries(thief, "leadlog_guess")) == [401]
        for n in range(5):
            async with at(api, f"192.0.2.{n}") as thief:
                assert statuses(await tries(thief, "leadlog_guess")) == [429]
        async with at(api, "198.51.100.1") as person:
            assert statuses(await tries(person, api.token("sales"))) == [200]


async def test_a_network_of_ipv6_counts_as_one_address(dsn: str) -> None:
    async with running(dsn, login_failures=2) as api:
        found: list[int] = []
        for address in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"):
            async with at(api, address) as client:
                found += statuses(await tries(client, "leadlog_guess"))
    assert found == [401, 401, 429, 401]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_ADDRESSES", 10)
    failed = FailedLogins(each=1, total=10**6, window=60)
    for n in range(1000):
        failed.note(f"192.0.2.{n}")
    assert sum(failed.too_many(f"192.0.2.{n}") for n in range(1000)) == 10


async def test_a_failed_login_does_not_tell_why(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "TRUSTED_SECONDS", 0.0)
    async with running(dsn) as api, at(api, "192.0.2.1") as client:
        with psycopg.connect(dsn, autocommit=True) as conn:
            expired, revoked, left = (
                issue(conn, name, "sales", "a", in_days(1)) or "" for name in ("甲", "乙", "丙")
            )
            await api.post("/v1/users", {"name": "丙", "role": "sales"})
            await api.project()
            for token in (expired, revoked, left):
                assert statuses(await tries(client, token)) == [200]
            conn.execute("UPDATE access.tokens SET expires_at = now() WHERE person = '甲'")
            revoke(conn, "乙")
            assert (await api.post("/v1/users/丙:deactivate", {})).status_code == 200
        wrong = (expired, revoked, left, "leadlog_", "leadlog_x", "x", "a.b.c", f"{expired[:-1]}_")
        answers = [answer for token in wrong for answer in await tries(client, token)]
        assert set(statuses(answers)) == {401}
        assert len({(answer.text, str(sorted(answer.headers.items()))) for answer in answers}) == 1


async def test_what_is_not_there_and_what_is_anothers_look_the_same(api: Api) -> None:
    lead = await api.lead()
    await api.post(f"/v1/leads/{lead['id']}:assign", {"owner": "王芳"})
    await api.project()
    same: dict[str, set[Any]] = {}
    names = (lead["id"], lead["code"], "0e6bb4d8-5c5d-4b8a-9d3d-0d3c54b0a3f1", "XLSH19990101001")
    for name in names:
        for verb, method in (("", "GET"), ("/follow-ups", "GET"), (":release", "POST")):
            body: dict[str, Any] = {"json": {}} if method == "POST" else {}
            answer = await api.call(method, f"/v1/leads/{name}{verb}", role="sales", **body)
            problem(answer, 404, "not-found")
            said = {k: v for k, v in answer.headers.items() if k != "leadlog-position"}
            same.setdefault(verb, set()).add((answer.text, str(said)))
    assert {verb: len(answers) for verb, answers in same.items()} == dict.fromkeys(same, 1)
