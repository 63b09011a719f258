"""The session of the page: a cookie for a token, its end, and proof that the page had the idea."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest

from adapters import trust
from api.forgery import csrf_token
from tests.integration.api_client import CUSTOMER, Api, problem, running

pytestmark = pytest.mark.anyio

COOKIE = "__Host-leadlog"


@pytest.fixture(autouse=True)
def _no_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "TRUSTED_SECONDS", 0.0)


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with running(dsn) as api:
        yield api


class Page:
    """A browser with the page: sends the cookie, and what else a test wants."""

    def __init__(self, api: Api, opened: httpx.Response) -> None:
        self.api = api
        self.set_cookie = opened.headers["set-cookie"]
        self.cookie = self.set_cookie.partition(";")[0]
        self.csrf = opened.json()["csrf"]

    async def call(self, method: str, path: str, **headers: str) -> httpx.Response:
        sent = {"Cookie": f"other=1; {self.cookie}; third=x"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        body: dict[str, Any] = {"json": CUSTOMER} if method == "POST" else {}
        return await self.api.call(method, path, role=None, headers=sent, **body)

    async def is_open(self) -> bool:
        answer = await self.call("GET", "/v1/session")
        assert answer.status_code in (200, 401)
        return answer.status_code == 200


async def log_in(api: Api, role: str = "sales") -> Page:
    opened = await api.call("POST", "/v1/session", role=role)
    assert opened.status_code == 201, opened.text
    return Page(api, opened)


def stored(api: Api, statement: str) -> list[Any]:
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        cursor = conn.execute(statement)
        return cursor.fetchall() if cursor.description else []


async def test_a_token_becomes_a_cookie_that_scripts_cannot_read(api: Api) -> None:
    page = await log_in(api)
    name, _, rest = page.set_cookie.partition("=")
    value, *attributes = rest.split("; ")
    assert name == COOKIE
    assert len(value) >= 43
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Strict", "Secure"]
    seen = await page.call("GET", "/v1/session")
    assert seen.json()["person"] == "sales-person"
    assert seen.json()["csrf"] == page.csrf == csrf_token(value)
    assert value not in seen.text
    assert seen.headers["cache-control"] == "no-store"
    rows = stored(api, "SELECT s::text FROM access.sessions s")
    assert rows
    assert all(value not in row for (row,) in rows)


async def test_a_command_by_cookie_proves_that_the_page_had_the_idea(api: Api) -> None:
    page, other = await log_in(api), await log_in(api)
    own = {"Origin": "http://api"}
    assert (await page.call("GET", "/v1/leads")).status_code == 200, "reading needs no proof"
    for headers in (own, own | {"X_CSRF_Token": ""}, own | {"X_CSRF_Token": other.csrf}):
        problem(await page.call("POST", "/v1/leads", **headers), 403, "csrf-token")
    foreign = (
        "https://evil.example",
        "null",
        "http://api.evil.example",
        "http://api:81",
        "http://[",
    )
    for origin in foreign:
        answer = await page.call("POST", "/v1/leads", Origin=origin, X_CSRF_Token=page.csrf)
        problem(answer, 403, "foreign-origin")
    assert stored(api, "SELECT count(*) FROM log.leadlog_events") == [(0,)]
    problem(await page.call("DELETE", "/v1/session", **own), 403, "csrf-token")
    right = own | {"X_CSRF_Token": page.csrf}
    assert (await page.call("POST", "/v1/leads", **right)).status_code == 201


async def test_a_session_ends_when_its_person_logs_out(api: Api) -> None:
    page, other = await log_in(api), await log_in(api)
    left = await page.call("DELETE", "/v1/session", X_CSRF_Token=page.csrf)
    assert left.status_code == 204
    assert f"{COOKIE}=;" in left.headers["set-cookie"]
    assert "Max-Age=0" in left.headers["set-cookie"]
    assert not await page.is_open()
    assert await other.is_open()
    problem(await page.call("POST", "/v1/leads"), 401, "unauthorised")


async def test_a_logout_can_be_sent_again_when_its_answer_was_lost(api: Api) -> None:
    page = await log_in(api)
    for _ in range(2):
        left = await page.call("DELETE", "/v1/session", X_CSRF_Token=page.csrf)
        assert left.status_code == 204
        assert "Max-Age=0" in left.headers["set-cookie"]
    assert (await api.call("DELETE", "/v1/session", role="sales")).status_code == 204
    problem(await api.call("DELETE", "/v1/session", role=None), 401, "unauthorised")


async def test_who_one_is_takes_only_the_parameters_of_reads(api: Api) -> None:
    answer = await api.get("/v1/session?min_position=0")
    assert answer.status_code == 200
    assert int(answer.headers["leadlog-position"]) >= 0
    problem(await api.get("/v1/session?x=1"), 422, "invalid-request")
    problem(await api.get("/v1/session?min_position=1000000"), 503, "unavailable")


ENDS = [
    "UPDATE access.sessions SET expires_at = now()",
    "UPDATE access.sessions SET last_used_at = now() - interval '61 minutes'",
    "UPDATE access.tokens SET revoked_at = now()",
    "UPDATE access.tokens SET expires_at = now()",
    "UPDATE access.tokens SET hash = 'x', revoked_at = NULL",  # its name was given to another
]


@pytest.mark.parametrize("end", ENDS)
async def test_a_session_ends_by_itself_and_with_its_token(api: Api, end: str) -> None:
    page = await log_in(api)
    assert await page.is_open()
    stored(api, end)
    assert not await page.is_open()


async def test_a_session_does_not_outlive_its_token(api: Api) -> None:
    api.token("sales")
    stored(api, "UPDATE access.tokens SET expires_at = now() + interval '1 minute'")
    await log_in(api)
    ((left,),) = stored(api, "SELECT expires_at - now() <= '1 minute' FROM access.sessions")
    assert left


async def test_who_loses_access_loses_the_session_and_does_not_get_it_back(api: Api) -> None:
    person = {"name": "sales-person", "role": "sales"}
    assert (await api.post("/v1/users", person)).status_code == 201
    page = await log_in(api)
    await api.project()  # a leaver's leads are counted
    assert (await api.post("/v1/users/sales-person:deactivate", {})).status_code == 200
    assert not await page.is_open()
    assert (await api.post("/v1/users/sales-person:reactivate", {})).status_code == 200
    assert not await page.is_open()


async def test_revoking_all_access_ends_the_sessions_too(api: Api) -> None:
    page, admin = await log_in(api), await log_in(api, "admin")
    path = "/v1/users/sales-person/tokens:revoke"
    stored(api, "UPDATE access.sessions SET token = NULL")  # as an issuer's token opens it
    assert (await api.post(path, {})).json() == {"revoked": 1}
    assert not await page.is_open()
    assert await admin.is_open()


async def test_logging_in_again_ends_the_session_before_and_many_end_the_oldest(api: Api) -> None:
    page = await log_in(api)
    both = {"Authorization": f"Bearer {api.token('sales')}"}
    again = Page(api, await page.call("POST", "/v1/session", **both))
    assert not await page.is_open()
    assert await again.is_open()
    for _ in range(20):
        await log_in(api)
    assert not await again.is_open()
    live = "SELECT count(*) FROM access.sessions WHERE expires_at > now()"
    assert stored(api, live) == [(20,)]
    stored(api, "UPDATE access.sessions SET expires_at = expires_at - interval '31 days'")
    await log_in(api)
    assert stored(api, "SELECT count(*) FROM access.sessions") == [(1,)], "kept for 30 days"


async def test_a_cookie_opens_no_further_session(api: Api) -> None:
    page = await log_in(api)
    answer = await page.call("POST", "/v1/session", X_CSRF_Token=page.csrf)
    problem(answer, 400, "invalid-parameter")


async def test_on_this_machine_the_cookie_may_go_without_encryption(dsn: str) -> None:
    async with running(dsn, cookie_secure=False) as api:
        page = await log_in(api)
        assert page.set_cookie.startswith("leadlog=")
        assert "Secure" not in page.set_cookie
        assert await page.is_open()


async def test_a_token_in_the_header_wins_over_a_cookie(api: Api) -> None:
    page = await log_in(api)
    both = {"Authorization": f"Bearer {api.token('admin')}"}
    assert (await page.call("GET", "/v1/session", **both)).json()["role"] == "admin"
    problem(await page.call("GET", "/v1/session", Authorization="Bearer x"), 401, "unauthorised")
