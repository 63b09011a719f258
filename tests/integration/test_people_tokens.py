"""Tokens of people, over HTTP and on the command line: made, listed, used, expired, revoked."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from adapters import last_use, trust
from adapters.tokens import TokenStore, digest, in_days, issue
from api.reading import encode_cursor
from tests.integration.api_client import Api, problem
from tests.integration.program import Program

pytestmark = pytest.mark.anyio

WANG = {"name": "王芳", "role": "sales"}
PATH = "/v1/users/王芳/tokens"


def bearer(token: str) -> dict[str, Any]:
    return {"role": None, "headers": {"Authorization": f"Bearer {token}"}}


async def test_an_administrator_makes_a_token_that_its_person_sees_and_ends(api: Api) -> None:
    await api.post("/v1/users", WANG)
    made = await api.post(PATH, {"name": "laptop"})
    assert made.status_code == 201, made.text
    token = made.json()["token"]
    days = datetime.fromisoformat(made.json()["expires_at"]) - datetime.now(UTC)
    assert timedelta(364.9) < days <= timedelta(365)
    assert (await api.get("/v1/session", **bearer(token))).json()["person"] == "王芳"
    (shown,) = (await api.get(PATH, **bearer(token))).json()["items"]
    assert (shown["name"], shown["valid"]) == ("laptop", True)
    assert shown["created_by"] == "user:admin-person"
    problem(await api.post(PATH, {"name": "laptop"}), 422, "name-taken")
    ended = await api.post(f"{PATH}:revoke", {"name": "laptop"}, **bearer(token))
    assert ended.json() == {"revoked": 1}
    problem(await api.get(PATH, **bearer(token)), 401, "unauthorised")
    listed = await api.get(PATH)
    assert listed.json()["items"][0]["valid"] is False
    assert token not in listed.text


async def test_how_long_a_token_lives_is_said_when_it_is_made(api: Api) -> None:
    await api.post("/v1/users", WANG)
    soon = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    for name, given, ends in (("a", {"never": True}, None), ("b", {"expires_at": soon}, soon)):
        made = (await api.post(PATH, {"name": name, **given})).json()
        at = made["expires_at"]
        assert (at and datetime.fromisoformat(at)) == (ends and datetime.fromisoformat(ends))
    past = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    for wrong in ({"expires_at": past}, {"expires_at": soon, "never": True}):
        problem(await api.post(PATH, {"name": "c", **wrong}), 422, "invalid-expiry")
    problem(await api.post("/v1/users/nobody/tokens", {"name": "a"}), 404, "no-such-person")


async def test_a_token_is_made_once_and_revoked_under_any_key(api: Api) -> None:
    await api.post("/v1/users", WANG)
    key: dict[str, Any] = {"headers": {"Idempotency-Key": "1"}}
    problem(await api.post(PATH, {"name": "d"}, **key), 400, "invalid-parameter")
    assert (await api.post(PATH, {"name": "d"})).status_code == 201
    revoked = [(await api.post(f"{PATH}:revoke", {"name": "d"}, **key)).json() for _ in range(2)]
    assert revoked == [{"revoked": 1}, {"revoked": 0}]
    paths = (await api.get("/openapi.json", role=None)).json()["paths"]
    takes_key = {
        path: "Idempotency-Key" in {p["name"] for p in paths[path]["post"]["parameters"]}
        for path in paths
        if "/tokens" in path and "post" in paths[path]
    }
    assert takes_key == {
        "/v1/users/{ref}/tokens": False,
        "/v1/users/{ref}/tokens:revoke": True,
    }
    version: dict[str, Any] = {"headers": {"If-Match": '"1"'}}
    problem(await api.post(f"{PATH}:revoke", {}, **version), 400, "invalid-parameter")


async def test_a_name_that_is_used_again_leaves_the_token_before_on_record(api: Api) -> None:
    """R117: who could get in, from when to when."""
    await api.post("/v1/users", WANG)
    first = (await api.post(PATH, {"name": "laptop"})).json()["token"]
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        conn.execute("UPDATE access.tokens SET last_used_at = now(), expires_at = now()")
        second = (await api.post(PATH, {"name": "laptop"})).json()["token"]
        problem(await api.post(PATH, {"name": "laptop"}), 422, "name-taken")
        await api.post(f"{PATH}:revoke", {"name": "laptop"})
        assert issue(conn, "王芳", "sales", "laptop", in_days(1))
        stored = conn.execute(
            "SELECT hash, last_used_at IS NOT NULL, revoked_at IS NOT NULL FROM access.tokens"
            " WHERE name = 'laptop' ORDER BY created_at"
        ).fetchall()
    assert [row[0] for row in stored[:2]] == [digest(first), digest(second)]
    assert [row[1:] for row in stored] == [(True, True), (False, True), (False, False)]
    shown = (await api.get(PATH)).json()["items"]
    assert [item["valid"] for item in shown] == [False, False, True]


async def test_tokens_are_listed_in_pages(api: Api) -> None:
    await api.post("/v1/users", WANG)
    for name in ("c", "a", "b", "a"):
        await api.post(f"{PATH}:revoke", {"name": "a"})
        assert (await api.post(PATH, {"name": name})).status_code == 201
    seen: list[tuple[str, bool]] = []
    cursor = ""
    for _ in range(3):
        page = await api.get(f"{PATH}?limit=2{cursor}")
        assert int(page.headers["leadlog-position"]) == page.json()["position"]
        seen += [(item["name"], item["valid"]) for item in page.json()["items"]]
        if page.json()["next"] is None:
            break
        cursor = f"&cursor={page.json()['next']}"
    assert seen == [("a", False), ("a", True), ("b", True), ("c", True)]
    nul = encode_cursor(["\0", "2024-05-01T09:00:00Z"])
    for wrong in ("x=1", "min_position=-1"):
        problem(await api.get(f"{PATH}?{wrong}"), 422, "invalid-request")
    for wrong in ("limit=1000", "cursor=x", f"cursor={nul}"):
        problem(await api.get(f"{PATH}?{wrong}"), 400, "invalid-parameter")
    problem(await api.get("/v1/users/%00/tokens"), 422, "invalid-request")
    edge = encode_cursor(["a", "0001-01-01T00:00:00+23:59"])
    assert (await api.get(f"{PATH}?cursor={edge}")).json()["items"][0]["name"] == "a"
    problem(await api.get(f"{PATH}?min_position=1000000"), 503, "unavailable")


async def test_the_last_use_is_noted_in_batches_and_at_most_once_a_minute(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "TRUSTED_SECONDS", 0.0)
    monkeypatch.setattr(last_use, "FLUSH_SECONDS", 2.0)
    await api.post("/v1/users", WANG)
    token = (await api.post(PATH, {"name": "laptop"})).json()["token"]

    def used() -> Any:
        with psycopg.connect(api.dsn) as conn:
            row = conn.execute(
                "SELECT last_used_at, xmin::text FROM access.tokens WHERE name = 'laptop'"
            ).fetchone()
        assert row
        return row

    assert used()[0] is None
    await api.get("/v1/session", **bearer(token))
    assert used()[0] is None, "not within the request"
    end = time.monotonic() + 30
    while not (first := used())[0]:
        assert time.monotonic() < end, "written a little later"
        await asyncio.sleep(0.1)
    monkeypatch.setattr(last_use, "FLUSH_SECONDS", 0.1)
    for _ in range(3):
        await api.get("/v1/session", **bearer(token))
        await asyncio.sleep(0.3)
    assert used() == first
    assert (await api.get(PATH)).json()["items"][0]["last_used_at"]


async def test_a_use_is_written_when_the_service_stops(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        token = issue(conn, "王芳", "sales", "laptop", in_days(1))
        assert token
        store = TokenStore(dsn)
        assert await store.principal(token)
        await store.close()
        row = conn.execute("SELECT last_used_at FROM access.tokens").fetchone()
    assert row
    assert row[0]


def test_the_command_line_makes_and_shows_ends(dsn: str) -> None:
    leadlog = Program(dsn)
    leadlog("users", "add", "王芳", "--role", "sales")
    create = ("tokens", "create", "--user", "王芳", "--name")
    leadlog(*create, "a", "--expires-in", "90d")
    leadlog(*create, "b", "--expires-at", "2100-01-01T08:00")
    leadlog(*create, "c", "--never")
    leadlog(*create, "d")
    leadlog(*create, "e", "--never", "--expires-in", "1d", refused="one of --expires-in")
    leadlog(*create, "e", "--expires-in", "soon", refused="90d, 12h or 30m")
    leadlog(*create, "e", "--expires-at", "2020-01-01", refused="already")
    with psycopg.connect(dsn, autocommit=True) as conn:
        rows = dict(
            conn.execute(
                "SELECT name, extract(day FROM expires_at - now())::int FROM access.tokens"
            ).fetchall()
        )
        conn.execute("UPDATE access.tokens SET expires_at = now() WHERE name = 'a'")
    assert (rows["a"], rows["c"], rows["d"]) == (89, None, 364)
    listed = [line for line in leadlog("tokens", "list").splitlines() if "王芳" in line]
    told = {re.split("[│┃]", line)[3].strip(): line for line in listed}
    assert "expired" in told["a"]
    assert "2100-01-01 08:00" in told["b"]
    assert "never" in told["c"]
