"""Attacks from outside on leads of others: through every route, with everything that it takes.

What is hidden is looked for in every byte of every answer (siege.py). What the scope shows where
nobody attacks: test_row_access.py.
"""

import json
import re
from typing import Any

import psycopg
import pytest
from httpx import Response

from adapters import channels, trust
from tests.integration.api_client import CONTACT, problem
from tests.integration.siege import (
    ATTACKERS,
    BODY_OF,
    OF_A_LEAD,
    Siege,
    as_bytes,
    commands_of,
    done,
    reads_of,
    send,
    siege,
)
from tests.integration.test_row_access import NOBODY, world

pytestmark = pytest.mark.anyio

__all__ = ["siege", "world"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ATTACKERS)
async def test_nothing_of_a_hidden_lead_is_read_by_its_name(siege: Siege, role: str) -> None:
    """R114-R116, A17, A32: each route and parameter is answered as for a lead that never was."""
    api, asked = siege.api, 0
    for target in siege.hidden(role):
        for method, url, path in reads_of(siege, target, of_a_lead=True):
            nothing = await send(api, method, url.replace("{ref}", NOBODY), None, role=role)
            assert nothing.status_code >= 400, (url, nothing.text)
            refs = (target.id, target.code, target.code.lower(), target.id.upper())
            for ref in refs if "?" not in url else refs[:1]:
                answer = await send(api, method, url.replace("{ref}", ref), None, role=role)
                assert as_bytes(answer) == as_bytes(nothing), (path, url, ref, answer.text)
                asked += 1
    assert asked > 100


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ATTACKERS)
async def test_no_command_changes_a_hidden_lead_or_tells_that_it_is_there(
    siege: Siege, role: str
) -> None:
    """R114-R116: right bodies; with the right version, a wrong one, none, a key of others."""
    api = siege.api
    before, reached = siege.versions(), 0
    conditions: list[dict[str, str]] = [{}, {"If-Match": '"999"'}, {"Idempotency-Key": "one-of-wu"}]
    for target in siege.hidden(role):
        right = {"If-Match": f'"{before[target.id]}"'}
        for method, path, body in commands_of(api.app, of_a_lead=True):
            if target.name == "pooled" and path.endswith(":claim"):
                continue  # what a pool is for
            nothing = await send(api, method, path.format(ref=NOBODY), body, role=role)
            assert nothing.status_code in (403, 404), (path, "needs a right body", nothing.text)
            reached += nothing.status_code == 404
            for ref, tried in ((target.id, [*conditions, right]), (target.code, conditions[:1])):
                for headers in tried:
                    url = path.format(ref=ref)
                    answer = await send(api, method, url, body, role=role, headers=headers)
                    assert as_bytes(answer) == as_bytes(nothing), (path, headers, answer.text)
    assert siege.versions() == before
    assert reached > 10 or role == "analyst"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ATTACKERS)
async def test_no_list_report_or_search_tells_of_a_hidden_lead(siege: Siege, role: str) -> None:
    """R114, R115, A4, A17: every other GET, with every parameter it has."""
    api, statuses = siege.api, set()
    for target in siege.hidden(role)[:2]:
        for method, url, _ in reads_of(siege, target, of_a_lead=False):
            answer = await send(api, method, url, None, role=role)
            statuses.add(answer.status_code)
            assert answer.status_code < 500, (url, answer.text)
            assert not siege.leaked(role, answer, url), (url, answer.text)
    assert {200, 403} <= statuses


@pytest.mark.parametrize("role", ATTACKERS)
async def test_no_command_elsewhere_names_a_hidden_lead(siege: Siege, role: str) -> None:
    """R114: whatever stands in the place of a person, a review, a message, a policy."""
    api, before = siege.api, siege.versions()
    for target in siege.hidden(role)[:1]:
        for method, path, body in commands_of(api.app, of_a_lead=False):
            if path == "/v1/session":
                continue
            ref = siege.review if "reviews" in path else target.id
            url = path.replace("{ref}", ref).replace("{key}", target.id)
            answer = await send(api, method, url, body, role=role)
            assert answer.status_code < 500, (url, answer.text)
            assert not siege.leaked(role, answer, url), (url, answer.text)
            if "{ref}" in path and role != "admin":
                assert answer.status_code in (401, 403, 404, 422), (url, answer.text)
    assert siege.versions() == before


@pytest.mark.parametrize("role", ATTACKERS)
async def test_the_cursors_of_those_who_see_all_show_no_more(siege: Siege, role: str) -> None:
    """A17: a cursor is a place in a list and no permission; another list's is one as well."""
    api, walked = siege.api, 0
    lists = [
        path
        for path, item in api.app.openapi()["paths"].items()
        if any(p["name"] == "cursor" for p in item.get("get", {}).get("parameters", []))
        and "{" not in path
    ]
    cursors: list[tuple[str, str]] = []
    for path in lists:
        query = {"limit": "1"} | ({"q": "客户"} if path == "/v1/attachments" else {})
        for _ in range(8):
            answer = await api.get(path, params=query)
            assert answer.status_code == 200, (path, answer.text)
            if not (following := answer.json()["next"]):
                break
            cursors.append((path, following))
            query["cursor"] = following
    assert len({path for path, _ in cursors}) >= 7, "most lists have more than a page"
    for made_for, cursor in cursors:
        for path in lists:
            query = {"cursor": cursor} | ({"q": "客户"} if path == "/v1/attachments" else {})
            answer = await api.get(path, params=query, role=role)
            assert answer.status_code in (200, 400, 403), (made_for, path, answer.text)
            assert not siege.leaked(role, answer, cursor), (made_for, path, answer.text)
            walked += answer.status_code == 200
    assert walked


NUMBERS = re.compile(
    rb'"(position|seconds\w*|age\w*|generated_at|as_known)":[^,}\]]+|positions? (0 to )?\d+'
    rb"|^id: \d+|the log's end, \d+", re.MULTILINE,
)  # fmt: skip


@pytest.mark.timeout(300)
@pytest.mark.parametrize("role", ["sales", "supervisor"])
async def test_what_happens_to_hidden_leads_changes_no_answer(siege: Siege, role: str) -> None:
    """R114, R115: no count, no length, no order, no cursor tells that others work.

    But for the log's position, which everybody needs to read what they have written.
    """
    api, other = siege.api, siege.targets["other"]

    async def snapshot() -> dict[str, Any]:
        shown = {}
        for _, url, path in reads_of(siege, other, of_a_lead=False):
            if role == "sales" and path == "/v1/pools":
                continue
            answer = await api.get(url, role=role)
            lines = [h for h in answer.headers.multi_items() if h[0] not in VOLATILE]
            shown[url] = (answer.status_code, NUMBERS.sub(b"", answer.content), lines)
        return shown

    before = await snapshot()
    again = await snapshot()
    assert before == again, "what is compared holds still by itself"
    for verb, body in (
        (":complete-info", {"region": "西南", "attributes": {"新": "甲"}}),
        (":label", {"level": "high"}),
        ("/follow-ups", CONTACT | {"next_step_due": "2030-01-01"}),
        ("/contact:reveal", BODY_OF["lead.reveal"]),
        (":pause", {"reason": "预算未批"}),
        (":resume", {}),
        (":convert", {"amount": "850000"}),
    ):
        await done(api.post(f"/v1/leads/{other.id}{verb}", body))
    await api.lead(customer="全新公司", phone="13711112222", email=None, owner="wu")
    await api.project()
    after = await snapshot()
    changed = {url: (before[url], after[url]) for url in before if before[url] != after[url]}
    assert not changed, changed


VOLATILE = {"leadlog-position", "date", "content-length"}


async def test_a_key_of_somebody_else_repeats_nothing_of_theirs(siege: Siege) -> None:
    """P2, R114: the same Idempotency-Key and body of another person are another request."""
    api = siege.api
    batch = {"leads": [{"customer": "批量公司", "phone": "13699998888"}]}
    for url, body in (("/v1/leads", batch["leads"][0]), ("/v1/leads:batch", batch)):
        key = {"Idempotency-Key": f"the-same-{url}"}
        first = await done(api.post(url, body, headers=key))
        mine = await done(api.post(url, body, headers=key, role="sales"))
        ids = [_lead_of(answer) for answer in (first, mine)]
        assert ids[0] != ids[1] and ids[0] not in mine.text
    other = siege.targets["other"]
    url, key = f"/v1/leads/{other.id}/contact:reveal", {"Idempotency-Key": "the-same"}
    await done(api.post(url, BODY_OF["lead.reveal"], headers=key))
    problem(
        await api.post(url, BODY_OF["lead.reveal"], headers=key, role="sales"), 404, "not-found"
    )
    problem(
        await api.post(url, BODY_OF["lead.reveal"], headers=key, role="auditor"), 403, "forbidden"
    )


def _lead_of(answer: Response) -> str:
    body = answer.json()
    return str(body["results"][0]["lead"]["id"] if "results" in body else body["id"])


async def test_a_file_is_there_under_its_own_lead_alone(siege: Siege) -> None:
    """R56, R114: the id of another lead's attachment below one's own is no attachment."""
    api, own = siege.api, siege.targets["own"]
    for target in siege.hidden("sales"):
        url = f"/v1/leads/{own.id}/attachments/"
        nothing = await api.get(url + NOBODY, role="sales")
        answer = await api.get(url + target.attachment, role="sales")
        problem(answer, 404, "not-found")
        assert as_bytes(answer) == as_bytes(nothing)


async def test_a_supervisor_sees_the_accesses_of_the_scope_as_it_is_now(siege: Siege) -> None:
    """R115, R117: those of a lead that left the team are gone with it, whatever is asked for."""
    api, team, other = siege.api, siege.targets["team"], siege.targets["other"]
    await done(api.post(f"/v1/leads/{team.id}/contact:reveal", BODY_OF["lead.reveal"]))
    await api.project()

    async def shown(**query: str) -> set[str]:
        answer = await api.get("/v1/privacy/accesses", params=query, role="supervisor")
        assert answer.status_code == 200, answer.text
        return {item["lead"] for item in answer.json()["items"]}

    queries: list[dict[str, str]] = [
        {}, {"person": "admin-person"}, {"kind": "reveal"}, {"what": "phone"},
    ]  # fmt: skip
    for query in queries:
        assert await shown(**query) == {team.id}
    assert await shown(lead=other.id) == await shown(lead=other.code) == set()
    await done(api.post(f"/v1/leads/{team.id}:hand-over", {"to": "wu"}))
    await api.project()
    for query in [*queries, {"lead": team.id}]:
        assert await shown(**query) == set()
    everything = (await api.get("/v1/privacy/accesses")).json()["items"]
    assert {team.id, other.id} <= {item["lead"] for item in everything}


async def test_those_who_left_and_those_who_never_came_get_one_answer(
    siege: Siege, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R114: a token of somebody deactivated, a channel's key and no token, on every route."""
    api = siege.api
    token = api.token("sales")
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        key = channels.add(conn, "form", "官网注册", 60)
    monkeypatch.setattr(trust, "TRUSTED_SECONDS", 0.0)
    target = siege.targets["own"]
    await done(api.post(f"/v1/leads/{target.id}:hand-over", {"to": "li"}))
    await api.project()
    await done(api.post("/v1/users/sales-person:deactivate", {}))
    before = siege.versions()
    for secret in (token, key):
        for path, item in api.app.openapi()["paths"].items():
            if not path.startswith("/v1/") or path == "/v1/intake/{key}":
                continue
            url = re.sub(r"\{(\w+)\}", target.id, path)
            for method in item:
                headers = {"Authorization": f"Bearer {secret}"}
                answer = await send(api, method.upper(), url, {}, role=None, headers=headers)
                assert answer.status_code in (401, 429), (method, url, answer.text)
                assert not siege.leaked("analyst", answer, url)
    assert siege.versions() == before


async def test_a_cookie_without_the_pages_own_token_changes_nothing(siege: Siege) -> None:
    """A request that another site has a browser send: its cookie alone is worth no command."""
    api, own = siege.api, siege.targets["own"]
    opened = await api.call("POST", "/v1/session", role="sales")
    cookie = {"Cookie": opened.headers["set-cookie"].partition(";")[0]}
    readable = await api.get(f"/v1/leads/{own.id}", role=None, headers=cookie)
    assert readable.status_code == 200
    before = siege.versions()
    forged = [{}, {"X-CSRF-Token": "x"}, {"Origin": "https://evil.example"}]
    for of_a_lead in (True, False):
        for method, path, body in commands_of(api.app, of_a_lead=of_a_lead):
            if path == "/v1/intake/{key}" or not path.startswith("/v1/"):
                continue
            url = re.sub(r"\{(\w+)\}", own.id, path)
            for more in forged:
                sent = await send(api, method, url, body, role=None, headers=cookie | more)
                assert sent.status_code == 403, (method, url, sent.text)
                assert problem_type(sent) in ("csrf-token", "foreign-origin"), sent.text
    assert siege.versions() == before


def problem_type(answer: Response) -> str:
    return str(answer.json()["type"]).removeprefix("/problems/")


async def test_the_key_of_a_channel_enters_and_reads_nothing(siege: Siege) -> None:
    """R2, R15: entering a known number through it tells nothing of who has it."""
    api, other = siege.api, siege.targets["other"]
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        key = channels.add(conn, "form", "官网注册", 60)
    url = f"/v1/intake/{key}"
    known = {"customer": f"客户{other.name}", "phone": "13912345670"}
    new = {"customer": "从未见过", "phone": "13512345670"}
    answers = [await api.post(url, body, role=None) for body in (known, new)]
    assert [answer.status_code for answer in answers] == [201, 201]
    shown = [re.sub(rb'"XLSH\d+"|"[0-9a-f-]{36}"', b"", answer.content) for answer in answers]
    assert shown[0] == shown[1]
    assert not siege.leaked("analyst", answers[0], json.dumps(known, ensure_ascii=False))
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = await api.call(method, url, role=None)
        assert answer.status_code == 405 and not siege.leaked("analyst", answer, url)


async def test_the_matrix_knows_an_attack_for_every_route(siege: Siege) -> None:
    """T10: each route is either read or a command, of a lead or not; each place has a value."""
    target = siege.targets["other"]
    known = {path for flag in (True, False) for *_, path in reads_of(siege, target, of_a_lead=flag)}
    app = siege.api.app
    known |= {path for flag in (True, False) for _, path, _ in commands_of(app, of_a_lead=flag)}
    assert known == siege.api.app.openapi()["paths"].keys()
    leads = {path for path in known if "{ref}" in path and "lead" in path}
    assert all(OF_A_LEAD.match(path) for path in leads)
    outside = {"/health/live", "/health/ready", "/metrics"}
    assert all(path.startswith("/v1/") for path in known - outside)
