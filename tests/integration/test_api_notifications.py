"""One's own list of messages over HTTP, how one is told, and what was given up (R36)."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.postgres.event_log import PostgresEventLog
from aggregates.event import Meta
from aggregates.notification.events import NotificationDead
from commands.ports import NewEvents
from tests.integration.api_client import Api

pytestmark = pytest.mark.anyio

MINE = "/v1/notifications"
TOPICS = "SELECT topic FROM log.leadlog_events WHERE topic LIKE 'notification.%' ORDER BY 1"


async def told(api: Api, role: str = "sales", query: str = "") -> list[dict[str, Any]]:
    """A person's list."""
    await api.project()
    answer = await api.get(f"{MINE}{query}", role=role)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def topics(api: Api) -> list[str]:
    """What the log says of messages."""
    with psycopg.connect(api.dsn) as conn:
        return [topic.removeprefix("notification.") for (topic,) in conn.execute(TOPICS)]


async def test_a_new_lead_is_in_its_owners_list_and_nobody_elses(api: Api) -> None:
    """R36, R37: in words, and in values; masked (A4)."""
    lead = await api.lead(owner="sales-person", contact_title="采购经理")
    [item] = await told(api)
    assert (item["kind"], item["lead"], item["review"]) == ("first-follow-up", lead["id"], None)
    assert (item["code"], item["customer"]) == (lead["code"], "A科技有限公司")
    assert item["title"] == f"新线索待跟进:A科技有限公司 {lead['code']}"
    assert item["due_at"].endswith("+08:00")
    assert (item["read_at"], item["deliveries"]) == (None, {})
    assert "1391234" not in str(item)
    for role in ("admin", "supervisor", "marketing", "analyst", "auditor"):
        assert await told(api, role) == []


async def test_whoever_has_a_lead_no_more_sees_its_code_alone(api: Api) -> None:
    """Decision 8, R114: not the customer, neither as a value nor in words."""
    for name in ("sales-person", "li"):
        assert (await api.post("/v1/users", {"name": name, "role": "sales"})).status_code == 201
    lead = await api.lead(owner="sales-person", contact_title="经理")
    assert (await told(api))[0]["customer"] == "A科技有限公司"
    passed = await api.post(f"/v1/leads/{lead['id']}:hand-over", {"to": "li"})
    assert passed.status_code == 200, passed.text
    [item] = await told(api)
    assert (item["code"], item["customer"]) == (lead["code"], None)
    assert item["title"] == f"新线索待跟进:{lead['code']}"
    assert "A科技" not in str(item)


async def test_what_was_read_comes_behind_what_was_not(api: Api) -> None:
    """The newest first among each; pages go over both."""
    leads = [
        await api.lead(owner="sales-person", contact_title="经理", customer=f"客户{n}", phone=None)
        for n in range(4)
    ]
    codes = [lead["code"] for lead in leads]
    newest = await told(api)
    assert [item["code"] for item in newest] == codes[::-1]
    for item in newest[:2]:
        answer = await api.post(f"{MINE}/{item['id']}:read", {}, role="sales")
        assert answer.json() == {"notifications": 1, "more": False}
    again = await api.post(f"{MINE}/{newest[0]['id']}:read", {}, role="sales")
    assert again.json() == {"notifications": 0, "more": False}
    expected = [codes[1], codes[0], codes[3], codes[2]]
    assert [item["code"] for item in await told(api)] == expected
    assert [item["code"] for item in await told(api, query="?unread=true")] == expected[:2]
    assert [item["code"] for item in await told(api, query="?unread=false")] == expected[2:]
    found, following = [], ""
    while following is not None:
        cursor = f"&cursor={following}" if following else ""
        page = (await api.get(f"{MINE}?limit=1{cursor}", role="sales")).json()
        found += [item["code"] for item in page["items"]]
        following = page["next"]
    assert found == expected


async def test_all_are_read_at_once_up_to_what_was_seen(api: Api) -> None:
    await api.lead(owner="sales-person", contact_title="经理")
    await api.project()
    seen = (await api.get(MINE, role="sales")).json()["position"]
    await api.lead(owner="sales-person", contact_title="经理", customer="B", phone="13812345678")
    await api.project()
    answer = await api.post(f"{MINE}:read-all", {"upto": seen}, role="sales")
    assert answer.json() == {"notifications": 1, "more": False}
    assert [item["read_at"] is None for item in await told(api)] == [True, False]
    assert (await api.post(f"{MINE}:read-all", {}, role="sales")).json()["notifications"] == 1
    keyed = {"Idempotency-Key": "a"}
    assert (await api.post(f"{MINE}:read-all", {}, headers=keyed)).status_code == 400
    assert topics(api) == ["read", "read"]


async def test_nobody_reads_for_others(api: Api) -> None:
    await api.lead(owner="sales-person", contact_title="经理")
    [item] = await told(api)
    for role in ("admin", "supervisor"):
        answer = await api.post(f"{MINE}/{item['id']}:read", {}, role=role)
        assert answer.status_code == 404
    for reference in (str(uuid4()), "no-id"):
        assert (await api.post(f"{MINE}/{reference}:read", {}, role="sales")).status_code == 404


async def test_what_was_given_up_is_shown_and_tried_again(api: Api) -> None:
    """By administrators, one by one or all of them; a repetition changes nothing."""
    lead = await api.lead(owner="sales-person", contact_title="经理")
    [item] = await told(api)
    log = PostgresEventLog(api.dsn)
    dead = NotificationDead(
        occurred_at=datetime.now(UTC),
        recipient="sales-person",
        channel="email",
        error="refused 550",
        attempts=1,
    )
    message = UUID(item["id"])
    await log.append(NewEvents(message, 0, [dead], Meta("process:notify", uuid4()), b""))
    await log.close()
    await api.project()
    [given_up] = (await api.get(f"{MINE}/dead")).json()["items"]
    assert given_up["id"] == item["id"]
    assert (given_up["recipient"], given_up["channel"]) == ("sales-person", "email")
    assert (given_up["error"], given_up["attempts"]) == ("refused 550", 1)
    assert given_up["code"] == lead["code"]
    assert (await told(api))[0]["deliveries"]["email"]["state"] == "dead"
    for role in ("sales", "supervisor", "auditor"):
        assert (await api.get(f"{MINE}/dead", role=role)).status_code == 403
        path = f"{MINE}/{message}:retry"
        assert (await api.post(path, {"channel": "email"}, role=role)).status_code == 403
    keyed = {"Idempotency-Key": "again"}
    for _ in range(2):
        answer = await api.post(f"{MINE}/{message}:retry", {"channel": "email"}, headers=keyed)
        assert answer.json() == {"notifications": 1, "more": False}
    assert (await api.post(f"{MINE}:retry-all", {})).json()["notifications"] == 0
    await api.project()
    assert (await api.get(f"{MINE}/dead")).json()["items"] == []
    assert topics(api) == ["dead", "retried"]


async def test_everybody_says_how_they_are_told(api: Api) -> None:
    """R36: for themselves; an administrator for all. The list says how."""
    for name in ("sales-person", "admin-person"):
        person = {"name": name, "role": name.partition("-")[0]}
        assert (await api.post("/v1/users", person)).status_code == 201
    usual = {"channels": ["in-app", "email"], "language": "zh", "quiet_from": None,
             "quiet_to": None}  # fmt: skip
    assert (await api.get(MINE, role="sales")).json()["preferences"] == usual
    wanted = {"language": "en", "quiet_from": "22:00", "quiet_to": "07:30"}
    path = "/v1/users/sales-person:set-notifications"
    answer = await api.post(path, wanted, role="sales")
    assert answer.status_code == 200, answer.text
    assert (await api.get(MINE, role="sales")).json()["preferences"] == usual | wanted
    await api.lead(owner="sales-person", contact_title="经理")
    [item] = await told(api)
    assert item["title"].startswith("New lead to follow up: ")
    assert (await api.post(path, {"language": None})).json()["messages"]["language"] == "zh"
    assert (await api.post(path, {}, role="supervisor")).status_code == 403
    for bad in ({"quiet_from": "25:00"}, {"quiet_from": "22:00+08:00"}, {"channels": ["pigeon"]}):
        assert (await api.post(path, bad, role="sales")).status_code == 422
