"""The change feed: who is told what, from where on (M3, R114 to R117, A4)."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters.postgres.event_log import PostgresEventLog
from aggregates.event import Meta
from aggregates.lead import events as e
from commands.ports import NewEvents
from tests.integration.api_client import CONTACT, EMAIL, PHONE, Api, problem, running
from tests.integration.feed_client import Sent, told

pytestmark = pytest.mark.anyio

TOLD = "/v1/events?follow=false&after=0"


async def feed(api: Api, path: str = TOLD, **options: Any) -> list[Sent]:
    """What the feed tells of what is in the log by now."""
    answer = await api.get(path, **options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-store"
    assert PHONE not in answer.text
    assert EMAIL not in answer.text
    return told(answer.text)


async def busy(api: Api) -> str:
    """A lead with a life: of a sales person, followed up, with a twin merged into it."""
    lead, twin = (await api.lead())["id"], (await api.lead())["id"]
    person = {"name": "sales-person", "role": "sales", "team": "east"}
    assert (await api.post("/v1/users", person)).status_code == 201
    for path, body in (
        (f"{lead}:assign", {"owner": "sales-person"}),
        (f"{lead}/follow-ups", CONTACT),
        (f"{twin}:merge", {"into": lead}),
    ):
        answer = await api.post(f"/v1/leads/{path}", body)
        assert answer.status_code in (200, 201), answer.text
    await api.project()
    return str(lead)


@pytest.mark.parametrize("role", ["sales", "supervisor", "admin", "auditor", "marketing"])
async def test_everybody_is_told_exactly_what_histories_tell_them(api: Api, role: str) -> None:
    """A lead that one may see is told with its whole history, field by field; no other is."""
    await busy(api)
    by_lead: dict[str, list[Any]] = {}
    for sent in await feed(api, role=role):
        assert (sent.id, sent.event) == (str(sent.data["position"]), sent.data["topic"])
        if sent.data["topic"].startswith("lead."):
            by_lead.setdefault(sent.data.pop("stream"), []).append(sent.data)
    for lead in by_lead or await _leads(api):
        answer = await api.get(f"/v1/leads/{lead}/events?limit=200", role=role)
        if lead in by_lead:
            code = (await api.get(f"/v1/leads/{lead}")).json()["code"]
            assert {item.pop("code") for item in by_lead[lead]} == {code}
            assert by_lead[lead] == answer.json()["items"]
        else:
            assert answer.status_code == 404
    seen = {"sales": 1, "supervisor": 1, "marketing": 1}.get(role, 2)
    assert len(by_lead) == seen, role


async def _leads(api: Api) -> list[str]:
    return [item["id"] for item in (await api.get("/v1/leads")).json()["items"]]


async def test_a_lead_that_changes_hands_falls_silent_for_the_one_before(api: Api) -> None:
    lead = await busy(api)
    assert await feed(api, role="sales")
    other = {"name": "other-person", "role": "sales", "team": "west"}
    assert (await api.post("/v1/users", other)).status_code == 201
    given = await api.post(f"/v1/leads/{lead}:assign", {"owner": "other-person"})
    assert given.status_code == 200, given.text
    assert not await feed(api, role="sales"), "nor is it told of the change itself"


async def test_of_an_erased_lead_is_told_what_is_left(api: Api) -> None:
    lead = await busy(api)
    erased = await api.post(f"/v1/leads/{lead}:erase", {"reason": "客户要求删除"})
    assert erased.status_code == 200
    captured = next(s for s in await feed(api, f"{TOLD}&lead={lead}") if s.id)
    assert captured.data["erased"]
    assert "customer" not in captured.data["data"]["details"]


async def test_what_is_about_no_lead_is_for_those_who_see_everything(api: Api) -> None:
    await busy(api)
    for role, sees in (("admin", True), ("auditor", True), ("supervisor", False), ("sales", False)):
        topics = {sent.event for sent in await feed(api, role=role)}
        assert ("directory.person-added" in topics) is sees, role


async def test_filters(api: Api) -> None:
    lead = await busy(api)
    every = await feed(api)
    for query, has in (
        ("topic=lead.assigned", lambda d: d["topic"] == "lead.assigned"),
        ("topic=lead.assigned&topic=directory.*", lambda d: d["topic"][:6] in ("direct", "lead.a")),
        (f"lead={lead}", lambda d: d["stream"] == lead),
        (f"lead={lead}&topic=lead.*", lambda d: d["stream"] == lead),
    ):
        wanted = [sent.id for sent in every if has(sent.data)]
        assert [sent.id for sent in await feed(api, f"{TOLD}&{query}")] == wanted != [], query


async def test_it_goes_on_behind_the_last_event_whatever_the_url_says(api: Api) -> None:
    await busy(api)
    every = await feed(api, role="sales")
    last = {"Last-Event-ID": str(every[1].id)}
    assert await feed(api, role="sales", headers=last) == every[2:]
    now = await api.get("/v1/events?follow=false")
    assert not told(now.text), "without a position it begins now"
    assert f"id: {await _head(api)}\n" in now.text


async def _head(api: Api) -> int:
    with psycopg.connect(api.dsn) as conn:
        row = conn.execute("SELECT max(notification_id) FROM log.leadlog_events").fetchone()
    assert row
    return int(row[0]) - 1  # its own opening is on record behind where it begins


async def test_what_cannot_be_followed_is_refused(api: Api) -> None:
    lead = await api.lead()
    for query, headers in (
        ("after=1000000", {}),
        ("topic=lead.forged", {}),
        ("topic=*", {}),
        ("", {"Last-Event-ID": "-1"}),
        ("", {"Last-Event-ID": "1000000"}),
        ("", {"Last-Event-ID": "١"}),
    ):
        raw = {name: value.encode() for name, value in headers.items()}
        answer = await api.get(f"/v1/events?follow=false&{query}", headers=raw)
        problem(answer, 400, "invalid-parameter")
    for query in ("after=-1", f"after={2**63}", "until=7"):
        problem(await api.get(f"/v1/events?{query}"), 422, "invalid-request")
    problem(await api.get("/v1/events", role="analyst"), 403, "forbidden")
    foreign = await api.get(f"/v1/events?follow=false&lead={lead['id']}", role="sales")
    unknown = await api.get(f"/v1/events?follow=false&lead={UUID(int=1)}", role="sales")
    assert problem(foreign, 404, "not-found") == problem(unknown, 404, "not-found")


async def test_who_sees_every_lead_is_put_on_record_once_a_connection(api: Api) -> None:
    """R117: once, and not for each event."""
    await busy(api)
    for role in ("admin", "auditor", "sales"):
        await feed(api, role=role)
    opened = await feed(api, f"{TOLD}&topic=access.feed-opened")
    assert [(s.data["actor"], s.data["data"]["after"]) for s in opened] == [
        ("user:admin-person", 0), ("user:auditor-person", 0),
    ]  # fmt: skip


async def test_a_long_log_is_told_in_pages_without_a_gap(dsn: str) -> None:
    """Longer than a page, most of it not wanted."""
    log = PostgresEventLog(dsn)
    for n in range(1, 8):
        stages = [e.StageChanged(stage=f"stage {m}") for m in range(100)]
        meta = Meta("import:old", UUID(int=n))
        await log.append(NewEvents(UUID(int=n), 0, stages, meta, b"f"))
    await log.close()
    async with running(dsn) as api:
        assert [int(sent.id or 0) for sent in await feed(api)] == list(range(1, 701))
        own = await feed(api, f"{TOLD}&lead={UUID(int=7)}&topic=lead.stage-changed")
        assert [int(sent.id or 0) for sent in own] == list(range(601, 701))
