"""No error, log line or parked event quotes a contact detail that somebody sent (A4, R19).

Numbers and addresses are put where they do not belong: what refuses them says so without them.
"""

import json
import re
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote
from uuid import UUID, uuid4

import psycopg
import pytest
from httpx import Response
from psycopg import sql
from psycopg.rows import scalar_row

from adapters.postgres.builds import live_builds
from adapters.postgres.runner import catch_up
from api.command_route import CommandRoute
from tests.conformance.histories import append_bytes
from tests.integration.api_client import CUSTOMER, Api
from tests.integration.test_api_access import BODIES
from tests.integration.test_serve import serving, until

TYPED = (
    "13987654321", "１３９８７６５４３２１", "139 8765 4321", "139－8765－4321", "+8613987654321",
    "tel:13987654321", "https://a.cn/13987654321?x=1", "请打13987654321或写canary.li@example.cn",
    "canary.li@example.cn", "canary.li＠example.cn",
)  # fmt: skip
CLEAR = re.compile(
    r"[1１][3３][9９]\D{0,3}[8８][7７][6６][5５]\D{0,3}[4４][3３][2２][1１]|canary.li"
)


def safe(answer: Response, sent: str) -> None:
    """Nothing of what was typed comes back, however it is written."""
    headers = "\n".join(map(": ".join, answer.headers.multi_items()))
    body = answer.content.decode()
    told = headers + body
    if "json" in answer.headers.get("content-type", ""):
        told += json.dumps(json.loads(body), ensure_ascii=False)
    assert not CLEAR.search(told), (sent, answer.status_code, told)


@pytest.mark.anyio
@pytest.mark.timeout(300)
async def test_no_error_of_a_command_quotes_what_was_sent(api: Api) -> None:
    """Every command, each of its fields and an unknown one: as a text, a list, a number, a name."""
    lead = (await api.lead())["id"]
    commands = {r.path_format: r.name for r in api.app.routes if isinstance(r, CommandRoute)}
    schemas = api.app.openapi()["components"]["schemas"]
    asked, statuses = 0, set()
    for path, item in api.app.openapi()["paths"].items():
        await api.project()
        for method in item.keys() - {"get"}:
            content = item[method].get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema", {})
            schema = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
            right = BODIES.get(commands.get(path, ""), {})
            for number, typed in enumerate(TYPED):
                url = path.replace("{ref}", lead if number % 2 else quote(typed, safe=""))
                url = url.replace("{key}", quote(typed, safe=""))
                fields = schema.get("properties", {}) if number < 2 else {}
                bodies = [
                    {**right, typed: 1},
                    {**right, "attributes": {typed: [[typed]]}},
                    *({**right, name: typed} for name in fields if name not in PLAIN),
                    *({**right, name: [typed]} for name in fields),
                    *({**right, name: 13987654321} for name in fields if name not in PLAIN),
                    [typed],
                    typed,
                ]
                for body in bodies:
                    answer = await api.call(method.upper(), url, json=body)
                    asked += 1
                    statuses.add(answer.status_code)
                    assert answer.status_code != 500, (url, body, answer.text)
                    if answer.status_code >= 400:
                        safe(answer, f"{url} {body}")
    assert asked > 500 and {404, 422} <= statuses


PLAIN = ("phone", "email", "name", "url")
"""Where contact details belong, or a name is chosen that people go by."""


@pytest.mark.anyio
@pytest.mark.timeout(300)
async def test_no_error_of_a_read_quotes_what_was_sent(api: Api) -> None:
    """In every parameter, in the place of an unknown one, in the path and in headers."""
    statuses = set()
    for path, item in api.app.openapi()["paths"].items():
        if "get" not in item or not path.startswith("/v1/"):
            continue
        parameters = [p for p in item["get"].get("parameters", []) if p["in"] == "query"]
        names = [p["name"] for p in parameters if p["name"] != "min_position"]
        for typed in TYPED:
            url = re.sub(r"\{\w+\}", quote(typed, safe=""), path)
            asked = [url, *(f"{url}?{n}={quote(typed)}" for n in (*names, quote(typed)))]
            for one in asked:
                answer = await api.get(one)
                statuses.add(answer.status_code)
                assert answer.status_code != 500, (one, answer.text)
                safe(answer, one)
    for header in ("If-Match", "Idempotency-Key", "Authorization", "Cookie", "Content-Type"):
        for typed in TYPED[:1] + TYPED[2:3]:
            answer = await api.post("/v1/leads", {}, headers={header: typed})
            assert answer.status_code in (400, 401, 415, 422), answer.text
            safe(answer, header)
    assert {400, 404, 422} <= statuses


BROKEN = (
    b'{"customer": "A", "phone": "13987654321', b'{"customer": 13987654321', b"13987654321",
    b'{"customer": "canary.li@example.cn", "phone": "\xff"}', b"phone=13987654321&customer=A",
)  # fmt: skip


def test_the_service_and_its_worker_log_no_contact_details(dsn: str, tmp_path: Path) -> None:
    """What cannot be read, what the database refuses, a defect, an event that nobody can fold."""
    with serving(dsn, tmp_path) as service:
        lead = service.call("/v1/leads", CUSTOMER | {"phone": "13987654321"})
        paths = ["/v1/leads?q=13987654321", "/v1/leads/13987654321", "/13987654321"]
        requests = [(path, None) for path in paths] + [("/v1/leads", body) for body in BROKEN]
        told = [_asked(service.url, service.token, *request) for request in requests]
        until(lambda: service.call("/v1/leads")["items"] or None)
        _refuse_rows(dsn)
        broken = json.dumps(CUSTOMER | {"phone": "13987654321"}).encode()
        told.append(_asked(service.url, service.token, "/v1/leads", broken))
        assert "internal-error" in told[-1]
        poison = rb'{"amount": "13987654321 canary.li@example.cn", "by": ["13987654321"]}'
        until(lambda: _appended(dsn, UUID(lead["id"]), poison))
        parked = until(lambda: _parked(dsn) or None)
        service.process.terminate()
        _, logged = service.process.communicate(timeout=60)
    assert "failed" in logged and "parked position" in logged, "these were logged"
    for text in (*told, *parked, logged):
        assert not CLEAR.search(text), text
    assert "Failing row" not in logged and "A科技有限公司" not in logged


def _appended(dsn: str, lead: UUID, state: bytes) -> bool | None:
    """Put the lead's next event into the log, if the worker does not do so first."""
    with psycopg.connect(dsn, row_factory=scalar_row) as conn:
        version = conn.execute(
            "SELECT max(originator_version) FROM log.leadlog_events WHERE originator_id = %s",
            [lead],
        ).fetchone()
    with suppress(AssertionError):
        append_bytes(dsn, lead, version + 1, "lead.converted", state)
        return True
    return None


def _asked(base: str, token: str, path: str, body: bytes | None) -> str:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(base + path, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = answer.read()
    except urllib.error.HTTPError as error:
        found = error.read()
    return bytes(found).decode()


def _refuse_rows(dsn: str) -> None:
    """Neither the log nor a read model takes more captures; each says so with the row."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        schema = live_builds(conn)["leads"].schema
        for table, condition in (
            (sql.Identifier("log", "leadlog_events"), "topic <> 'lead.captured'"),
            (sql.Identifier(schema, "leads"), "customer IS NULL"),
        ):
            check = sql.SQL("ALTER TABLE {} ADD CONSTRAINT no CHECK ({}) NOT VALID")
            conn.execute(check.format(table, sql.SQL(condition)))


def _parked(dsn: str) -> list[str]:
    with psycopg.connect(dsn, row_factory=scalar_row) as conn:
        return conn.execute("SELECT error FROM projection.parked").fetchall()


VALUES = {
    "lead.converted": rb'{"amount": "13987654321 canary.li@example.cn"}',
    "lead.captured": rb'{"code": "X", "details": {"source": "13987654321 \u0000"}}',
    "lead.paused": rb'{"reason": {"13987654321": 1}, "resume_at": "canary.li@example.cn"}',
}


@pytest.mark.parametrize("topic", VALUES)
def test_why_an_event_is_parked_quotes_nothing_of_it(topic: str, dsn: str) -> None:
    append_bytes(dsn, uuid4(), 1, topic, VALUES[topic])
    catch_up(dsn)
    reasons = _parked(dsn)
    assert reasons
    for reason in reasons:
        assert not CLEAR.search(reason), reason


def test_why_an_event_is_parked_quotes_no_row(dsn: str) -> None:
    """A row that the database refuses stands in its error, with the customer's name in clear."""
    catch_up(dsn)
    state = '{"code": "X", "details": {"customer": "A科技有限公司 13987654321"}}'
    append_bytes(dsn, uuid4(), 1, "lead.captured", state.encode())
    _refuse_rows(dsn)
    catch_up(dsn)
    (reason,) = _parked(dsn)
    assert reason.startswith("CheckViolation: ") and "leads" in reason
    assert "A科技" not in reason and not CLEAR.search(reason)
