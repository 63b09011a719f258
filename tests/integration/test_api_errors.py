"""Every way in which the API says no: a problem of a stable type that names the place at fault."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from adapters import trust
from adapters.embedded import Cluster
from adapters.tokens import issue, revoke
from tests.integration.api_client import CONTACT, CUSTOMER, Api, problem, running

pytestmark = pytest.mark.anyio

LEAD = "/v1/leads/0e6bb4d8-5c5d-4b8a-9d3d-0d3c54b0a3f1"


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer nonsense", "Bearer leadlog_nonsense"]
)
async def test_a_wrong_token_is_refused(api: Api, header: str) -> None:
    answer = await api.get(LEAD, headers={"Authorization": header})
    problem(answer, 401, "unauthorised")


async def test_a_revoked_or_expired_token_dies_when_trust_in_it_ends(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "TRUSTED_SECONDS", 0.0)
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        revoked, expired = (issue(conn, "chen", "sales", name) for name in ("laptop", "phone"))
        answers = [
            await api.get(LEAD, role=None, headers=bearer(one)) for one in (revoked, expired)
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        revoke(conn, "chen", "laptop")
        conn.execute("UPDATE access.tokens SET expires_at = now() WHERE name = 'phone'")
        for token in (revoked, expired):
            answer = await api.get(LEAD, role=None, headers=bearer(token))
            problem(answer, 401, "unauthorised")
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        for name in ("laptop", "phone"):
            assert issue(conn, "chen", "sales", name), "the name of one that has ended is free"
            assert issue(conn, "chen", "sales", name) is None, "the name is taken"


async def test_only_a_hash_of_a_token_is_stored(api: Api) -> None:
    token = api.token("sales")
    with psycopg.connect(api.dsn) as conn:
        stored = conn.execute("SELECT t::text, hash FROM access.tokens t").fetchall()
    assert stored
    for row, digest in stored:
        assert token not in row
        assert token.encode() not in digest


async def test_nobody_may_ask_too_often(dsn: str) -> None:
    async with running(dsn, requests_per_second=2) as api:
        answers = [await api.get(LEAD) for _ in range(7)]  # more than two seconds' worth, if quick
        limited = [answer for answer in answers if answer.status_code == 429]
        assert limited
        problem(limited[0], 429, "too-many-requests")
        assert limited[0].headers["retry-after"] == "1"


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"customer": "A", "unknown": 1}, "#/unknown"),
    ({}, "#/customer"),
    ({"customer": ""}, "#/customer"),
    ({"customer": "   "}, "#/customer"),
    ({"customer": 5}, "#/customer"),
    ({"customer": None}, "#/customer"),
    ({"customer": "x" * 201}, "#/customer"),
    ({"customer": "a\0b"}, "#/customer"),
    ({"customer": "A", "phone": "139****5678"}, "#/phone"),
    ({"customer": "A", "email": "nobody"}, "#/email"),
    ({"customer": "A", "attributes": {"a/b~c": []}}, "#/attributes/a~1b~0c"),
    ({"customer": "A", "attributes": {"owner": "x"}}, "#/attributes"),
    ({"customer": "A", "attributes": {str(n): n for n in range(51)}}, "#/attributes"),
]


@pytest.mark.parametrize(("body", "pointer"), INVALID)
async def test_a_wrong_value_is_pointed_at(
    module_api: Api, body: dict[str, Any], pointer: str
) -> None:
    found = problem(await module_api.post("/v1/leads", body), 422, "invalid-request")
    assert [error["pointer"] for error in found["errors"]] == [pointer]
    assert "\\x00" not in found["errors"][0]["detail"], "no regular expressions for people"


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        (":convert", {"amount": 850.5}),
        (":convert", {"amount": "-1"}),
        (":convert", {"amount": "0.001"}),
        (":convert", {"converted_at": "2024-05-20T11:00:00"}),
        (":convert", {"converted_at": 1716174000}),
        ("/follow-ups", CONTACT | {"outcome": "shouted"}),
        ("/follow-ups", CONTACT | {"next_step_due": "2024-02-30"}),
        (":invalidate", {}),
        (":assign", {"owner": ["a"]}),
    ],
)
async def test_each_command_checks_its_body(
    module_api: Api, verb: str, body: dict[str, Any]
) -> None:
    problem(await module_api.post(LEAD + verb, body), 422, "invalid-request")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"nonsense", b'{"customer": "\xff"}', b'{"customer": NaN', b'"\\ud800"']
)
async def test_malformed_json_is_told_from_a_wrong_value(module_api: Api, content: bytes) -> None:
    problem(await module_api.call("POST", "/v1/leads", content=content), 400, "malformed-json")


SAID: list[tuple[str, bytes, str]] = [
    ("/v1/leads", b"", "the body is empty: send a JSON object, {} at least"),
    (f"{LEAD}:resume", b"", "the body is empty: send a JSON object, {} at least"),
    ("/v1/leads", b"{", "the body is no JSON: EOF while parsing an object at line 1 column 1"),
    ("/v1/leads", b"[]", "must be a JSON object"),
    ("/v1/leads", b"{}", "is required"),
    ("/v1/leads", b'{"customer": "A", "nope": 1}', "there is no such field"),
    ("/v1/leads", b'{"customer": ""}', "must have at least 1 character"),
    ("/v1/leads", b'{"customer": 5}', "must be a text"),
    ("/v1/leads", b'{"customer": "a\\u0000"}', "must not contain the character NUL"),
    ("/v1/leads:batch", b'{"leads": []}', "must have at least 1 item"),
    (f"{LEAD}:screen", b'{"accepted": "perhaps"}', "must be true or false"),
    (f"{LEAD}:label", b'{"level": "x"}', "must be 'high', 'medium', 'low' or 'unrated'"),
]


@pytest.mark.parametrize(("path", "content", "detail"), SAID)
async def test_what_is_wrong_is_said_in_words(
    module_api: Api, path: str, content: bytes, detail: str
) -> None:
    answer = (await module_api.call("POST", path, content=content)).json()
    assert [error["detail"] for error in answer.get("errors", [answer])] == [detail]


async def test_an_unknown_parameter_is_called_one(module_api: Api) -> None:
    found = problem(await module_api.get("/v1/leads?nope=1"), 422, "invalid-request")
    assert found["errors"] == [{"parameter": "nope", "detail": "there is no such parameter"}]


@pytest.mark.parametrize("content", [b"[]", b"null", b"1", b'"text"', b"[" * 10_000])
async def test_a_body_that_is_no_object_is_refused(module_api: Api, content: bytes) -> None:
    answer = await module_api.call("POST", "/v1/leads", content=content)
    assert answer.status_code in (400, 422)
    assert answer.json()["type"].startswith("/problems/")


async def test_a_body_above_the_limit_is_refused(dsn: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    async with running(dsn, max_body_bytes=1000) as api:
        announced = await api.call("POST", "/v1/leads", content=b" " * 1001)
        problem(announced, 413, "body-too-large")
        streamed = await api.call("POST", "/v1/leads", content=pieces())
        problem(streamed, 413, "body-too-large")
        just_fits = json.dumps({"customer": "A"}).encode().ljust(1000)
        assert (await api.call("POST", "/v1/leads", content=just_fits)).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "schlüssel", "a b"])
async def test_an_odd_idempotency_key_is_refused(module_api: Api, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    headers["Authorization"] = f"Bearer {module_api.token('admin')}".encode()
    answer = await module_api.post("/v1/leads", CUSTOMER, headers=headers)
    problem(answer, 400, "invalid-parameter")


async def test_commands_take_no_query(module_api: Api) -> None:
    problem(await module_api.post("/v1/leads?dry_run=1", CUSTOMER), 400, "invalid-parameter")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/leads/x/y", "/v1/leads/", f"{LEAD}:praise"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_is_not_there_is_not_found(module_api: Api, method: str, path: str) -> None:
    found = problem(await module_api.call(method, path), 404, "not-found")
    assert "/openapi.json" in found["detail"]


async def test_a_wrong_method_names_the_right_ones(module_api: Api) -> None:
    answer = await module_api.call("DELETE", LEAD)
    found = problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET"
    assert "Allow" in found["detail"]


ALWAYS_CONFLICT = """
CREATE OR REPLACE FUNCTION log.append(
  commands uuid[], fingerprints bytea[], owners int[], streams uuid[], versions bigint[],
  topics text[], states bytea[], simulated_now timestamptz DEFAULT NULL,
  claimants int[] DEFAULT '{}', claims bytea[] DEFAULT '{}', known bigint[] DEFAULT '{}',
  keepers int[] DEFAULT '{}', keyed uuid[] DEFAULT '{}', keys bytea[] DEFAULT '{}'
) RETURNS TABLE (command int, outcome text, "position" bigint, stamp timestamptz)
LANGUAGE sql AS $$
  SELECT n::int, 'conflict', NULL::bigint, NULL::timestamptz
  FROM generate_series(1, cardinality(commands)) AS n
$$"""


async def test_a_lead_that_others_keep_changing_is_a_conflict_to_try_again(api: Api) -> None:
    path = f"/v1/leads/{(await api.lead())['id']}:assign"
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        conn.execute(ALWAYS_CONFLICT)
    answer = await api.post(path, {"owner": "王芳"})
    problem(answer, 409, "contended")
    assert answer.headers["retry-after"] == "1"


async def test_a_defect_tells_nothing_of_the_inside(api: Api) -> None:
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        conn.execute("ALTER FUNCTION log.take_codes RENAME TO gone")
    answer = await api.post("/v1/leads", CUSTOMER)
    problem(answer, 500, "internal-error")
    assert "take_codes" not in answer.text


@pytest.fixture
def unreachable(cluster: Cluster, dsn: str) -> Iterator[None]:
    """While it lasts nobody can connect to the test's database."""
    name = conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(cluster.dsn("postgres"), autocommit=True) as conn:
        conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        yield
        conn.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


async def test_without_the_database_everything_may_be_tried_again(
    api: Api, cluster: Cluster, request: pytest.FixtureRequest
) -> None:
    lead = await api.lead()
    request.getfixturevalue("unreachable")
    end_sessions(cluster, api.dsn)
    answer = await api.get(f"/v1/leads/{lead['id']}")
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    ready = await api.get("/health/ready", role=None)
    assert ready.status_code == 503
    assert ready.json()["problems"] == ["the database does not answer"]
    assert (await api.get("/health/live", role=None)).status_code == 200


def end_sessions(cluster: Cluster, dsn: str) -> None:
    with psycopg.connect(cluster.dsn("postgres"), autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [conninfo_to_dict(dsn)["dbname"]],
        )


def bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
