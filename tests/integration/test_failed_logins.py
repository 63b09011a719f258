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
from tests.integration.oidc_issuer import issuer

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


async def test_a_session_opened_from_a_limited_address_is_good_at_once(dsn: str) -> None:
    async with running(dsn, login_failures=2) as api, at(api, "192.0.2.1") as client:
        headers = {"Authorization": f"Bearer {api.token('sales')}"}
        assert (await client.get(ME, headers=headers)).status_code == 200
        await tries(client, "leadlog_guess", 2)
        opened = await client.post(ME, headers=headers)
        assert opened.status_code == 201
        cookie = {"Cookie": opened.headers["set-cookie"].partition(";")[0]}
        assert (await client.get(ME, headers=cookie)).status_code == 200
        assert statuses(await tries(client, "leadlog_guess")) == [429], "still limited"


ENDS = [
    ("an expired token", "UPDATE access.tokens SET expires_at = now() WHERE person = '丙'"),
    ("a revoked token", "UPDATE access.tokens SET revoked_at = now() WHERE person = '丙'"),
    ("an expired session", "UPDATE access.sessions SET expires_at = now() WHERE person = '丙'"),
    (
        "an idle session",
        "UPDATE access.sessions SET last_used_at = now() - interval '1 day' WHERE person = '丙'",
    ),
    ("a session without its token", "UPDATE access.tokens SET revoked_at = now()"),
]


@pytest.mark.parametrize(("what", "end"), ENDS, ids=lambda value: value[:30])
async def test_what_was_good_once_is_no_guess(
    dsn: str, monkeypatch: pytest.MonkeyPatch, what: str, end: str
) -> None:
    """A tab that was forgotten asks again and again; it shuts nobody out."""
    monkeypatch.setattr(trust, "TRUSTED_SECONDS", 0.0)
    with psycopg.connect(dsn, autocommit=True) as conn:
        token = issue(conn, "丙", "sales", "a", in_days(1)) or ""
        async with running(dsn, login_failures=2) as api, at(api, "192.0.2.1") as client:
            proof = {"Authorization": f"Bearer {token}"}
            opened = await client.post(ME, headers=proof)
            if "session" in what:
                proof = {"Cookie": opened.headers["set-cookie"].partition(";")[0]}
            assert (await client.get(ME, headers=proof)).status_code == 200
            conn.execute(end.encode())
            answers = [await client.get(ME, headers=proof) for _ in range(5)]
            assert statuses(answers) == [401] * 5
            fresh = issue(conn, "甲", "sales", "a", in_days(1)) or ""
            assert statuses(await tries(client, fresh)) == [200]


@pytest.mark.parametrize("how", ["logout", "too many", "all access", "who left"])
async def test_a_session_that_was_ended_is_no_guess(
    dsn: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(trust, "TRUSTED_SECONDS", 0.0)
    async with running(dsn, login_failures=2) as api, at(api, "192.0.2.1") as client:
        await api.post("/v1/users", {"name": "sales-person", "role": "sales"})
        await api.project()
        bearer = {"Authorization": f"Bearer {api.token('sales')}"}
        opened = await client.post(ME, headers=bearer)
        cookie = {"Cookie": opened.headers["set-cookie"].partition(";")[0]}
        match how:
            case "logout":
                headers = cookie | {"X-CSRF-Token": opened.json()["csrf"]}
                assert (await client.delete(ME, headers=headers)).status_code == 204
            case "too many":
                for _ in range(20):
                    assert (await client.post(ME, headers=bearer)).status_code == 201
            case "all access":
                answer = await api.post("/v1/users/sales-person/tokens:revoke", {})
                assert answer.is_success
            case "who left":
                answer = await api.post("/v1/users/sales-person:deactivate", {})
                assert answer.is_success, answer.text
        answers = [await client.get(ME, headers=cookie) for _ in range(5)]
        assert statuses(answers) == [401] * 5
        assert statuses(await tries(client, api.token("admin"))) == [200]


async def test_what_the_issuer_has_signed_is_no_guess(dsn: str) -> None:
    with issuer() as login:
        settings: dict[str, Any] = {"oidc_issuer": login.url, "oidc_audience": "leadlog"}
        async with (
            running(dsn, login_failures=2, **settings) as api,
            at(api, "192.0.2.1") as client,
        ):
            for lie in ({"exp": 1}, {"aud": "another"}, {"email": "nobody@example.cn"}):
                assert statuses(await tries(client, login.token(**lie), 3)) == [401] * 3
            assert statuses(await tries(client, api.token("sales"))) == [200]
            forged = login.token()[:-8] + "AAAAAAAA"
            unknown = login.token(header={"kid": "unknown"})
            answers = [*await tries(client, forged), *await tries(client, unknown, 2)]
            assert statuses(answers) == [401, 401, 429]


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
