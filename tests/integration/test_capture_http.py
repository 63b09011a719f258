"""Capture over HTTP: judged at once for completeness, label and duplicates (R15-R30, A1-A8)."""

import json
from pathlib import Path
from typing import Any

import anyio
import psycopg
import pytest

from tests.integration.api_client import CUSTOMER, EMAIL, PHONE, Api, problem
from tests.integration.history_files import AT, imported, text, write

pytestmark = pytest.mark.anyio
WHOLE = CUSTOMER | {"contact_title": "采购经理"}


async def test_a_lead_has_the_fields_of_table_1(api: Api) -> None:
    """R16, R17, R18, R20, R21, R22, R73, R74, R75, R76, R77, R78, R81, A2."""
    said = WHOLE | {"customer_type": "企业", "campaign": "春季展会", "need": "采购50台办公电脑"}
    shown = (await api.post("/v1/leads", said)).json()
    assert {name: shown[name] for name in said} == said | {
        "phone": "139****5678",
        "email": "z***@example.cn",
    }
    assert shown["code"].startswith("XLSH") and shown["captured_at"].endswith("+08:00")


async def test_a_capture_tells_label_and_what_is_missing(api: Api) -> None:
    """R3, R9, R23, R24, R26, R27: with the rule and the version of the policy that decided."""
    lead = await api.lead()
    assert (lead["level"], lead["segment"]) == ("high", "采购决策")
    assert lead["label"] == {"rule": "buys", "policy_version": 1, "by_hand": False}
    assert (lead["completeness"], lead["missing"]) == ("incomplete", ["contact_title"])
    assert lead["duplicates"] == []


async def test_the_missing_information_is_completed(api: Api) -> None:
    """R28, R30: what is not given stays, null takes away, and the label follows the need."""
    path = f"/v1/leads/{(await api.lead())['id']}:complete-info"
    lead = (await api.post(path, {"contact_title": "采购经理"})).json()
    assert (lead["completeness"], lead["missing"]) == ("complete", [])
    assert lead["contact"] == CUSTOMER["contact"] and lead["contact_title"] == "采购经理"
    lead = (await api.post(path, {"industry": None, "need": "想了解产品"})).json()
    assert (lead["missing"], lead["industry"]) == (["industry"], None)
    assert (lead["level"], lead["label"]["rule"]) == ("medium", "informs")
    lead = (await api.post(path, {"phone": None, "email": "", "industry": "教育"})).json()
    assert lead["missing"] == ["phone|email"]
    again = await api.post(path, {"industry": "教育"})
    assert again.json()["version"] == lead["version"], "nothing new"


async def test_a_person_may_mark_a_lead_incomplete(api: Api) -> None:
    """R26, A7: 勾选“待补充”."""
    lead = (await api.post("/v1/leads", WHOLE | {"missing": ["need"]})).json()
    assert (lead["completeness"], lead["missing"]) == ("incomplete", ["need"])
    path = f"/v1/leads/{lead['id']}:complete-info"
    lead = (await api.post(path, {"need": "采购50台办公电脑", "missing": ["phone"]})).json()
    assert lead["missing"] == ["phone"]


async def test_a_label_by_hand_wins_until_it_is_cleared(api: Api) -> None:
    """R25, A6."""
    path = f"/v1/leads/{(await api.lead())['id']}"
    lead = (await api.post(path + ":label", {"level": "low", "segment": "潜在需求"})).json()
    assert (lead["level"], lead["segment"]) == ("low", "潜在需求")
    assert lead["label"] == {"rule": None, "policy_version": None, "by_hand": True}
    lead = (await api.post(path + ":complete-info", {"need": "总经理要签约"})).json()
    assert lead["level"] == "low"
    lead = (await api.post(path + ":clear-label", {})).json()
    assert (lead["level"], lead["label"]["rule"]) == ("high", "decides")
    by_hand = await api.lead(level="medium")
    assert (by_hand["level"], by_hand["label"]["by_hand"]) == ("medium", True)


@pytest.mark.parametrize(
    ("verb", "body", "code", "field"),
    [
        ("", {"phone": "1391234567"}, "invalid-request", "phone"),
        ("", {"phone": "65551234"}, "invalid-request", "phone"),
        ("", {"email": "a@b"}, "invalid-request", "email"),
        ("", {"missing": ["owner"]}, "invalid-request", "missing/0"),
        ("", {"level": "hot"}, "invalid-request", "level"),
        ("", {"segment": "决策层"}, "segment-without-level", "level"),
        ("", {"level": "high", "segment": "大客户"}, "unknown-segment", "segment"),
        (":label", {"level": "high", "segment": "大客户"}, "unknown-segment", "segment"),
        (":complete-info", {"customer": None}, "invalid-request", "customer"),
        (":complete-info", {"customer": ""}, "invalid-request", "customer"),
        (":complete-info", {"owner": "li"}, "invalid-request", "owner"),
        (":complete-info", {"attributes": {"phone": "1"}}, "invalid-request", "attributes"),
    ],
)
async def test_what_is_entered_is_checked(
    api: Api, verb: str, body: dict[str, Any], code: str, field: str
) -> None:
    """R30, R99: refused with the field and what to do."""
    path = f"/v1/leads/{(await api.lead())['id']}{verb}" if verb else "/v1/leads"
    answer = await api.post(path, body if verb else CUSTOMER | body)
    assert problem(answer, 422, code)["errors"][0]["pointer"] == f"#/{field}"


@pytest.mark.parametrize(
    ("typed", "certain", "by"),
    [
        ({"phone": "+86 139-1234-5678", "email": "x@y.cn", "customer": "B"}, True, ["phone"]),
        ({"phone": "010-65551234", "email": EMAIL.upper(), "customer": "B"}, True, ["email"]),
        ({"phone": PHONE, "email": EMAIL}, True, ["phone", "email", "customer"]),
        ({"phone": None, "email": None, "customer": "a 科技"}, False, ["customer"]),
        ({"phone": "010-65551234", "email": "x@y.cn", "customer": "B"}, None, None),
    ],
)
async def test_possible_duplicates_are_told_at_once(
    api: Api, typed: dict[str, Any], certain: bool | None, by: list[str] | None
) -> None:
    """R2, A1: capture is never refused, and says which leads may be the same and why."""
    first = await api.lead()
    lead = await api.lead(**typed)
    expected = {"id": first["id"], "code": first["code"], "certain": certain, "by": by}
    assert lead["duplicates"] == ([] if by is None else [expected])
    read = (await api.get(f"/v1/leads/{lead['id']}")).json()
    assert read["duplicates"] == lead["duplicates"]


async def test_new_contact_details_are_compared_too(api: Api) -> None:
    """A1, R30."""
    first = await api.lead()
    lead = await api.lead(phone=None, email=None, customer="B制造有限公司")
    path = f"/v1/leads/{lead['id']}:complete-info"
    lead = (await api.post(path, {"phone": PHONE})).json()
    assert [(d["code"], d["by"]) for d in lead["duplicates"]] == [(first["code"], ["phone"])]


async def test_leads_of_an_imported_history_are_found(api: Api, tmp_path: Path) -> None:
    """R2, A1: by what their facts say, however it is written; what is no number is passed over."""
    data = [
        {"phone": "+86 139 1234 5678", "customer": "某某贸易"},
        {"customer": "A科技", "email": "?"},
        {"phone": "139****5678", "channel": "web"},
    ]
    rows = [(n, AT, f"L{n}", "LeadCreated", json.dumps(d)) for n, d in enumerate(data, 1)]
    rows.append((4, AT, "L4", "OwnerAssigned", json.dumps({"owner": "li", "email": EMAIL})))
    run = await anyio.to_thread.run_sync(imported, api.dsn, write(tmp_path, text(rows)))
    assert run.returncode == 0, run.stderr
    lead = await api.lead()
    by = {d["id"]: (d["certain"], d["by"]) for d in lead["duplicates"]}
    assert list(by.values()) == [
        (True, ["phone"]),
        (True, ["email"]),
        (False, ["customer"]),
    ]
    again = await anyio.to_thread.run_sync(imported, api.dsn, write(tmp_path, text(rows)))
    assert again.returncode == 0
    with psycopg.connect(api.dsn) as conn:
        assert conn.execute("SELECT count(*) FROM log.marks").fetchone() == (4 + 3,)


async def test_no_table_tells_a_phone_number(api: Api) -> None:
    """R113: what leads are compared by are keyed hashes, and nothing else is kept for it."""
    await api.lead()
    with psycopg.connect(api.dsn) as conn:
        rows = conn.execute("SELECT mark::text, stream::text FROM log.marks").fetchall()
    assert len(rows) == 3
    assert all(len(mark) == 2 + 32 for mark, _ in rows)
    assert len({mark for mark, _ in rows}) == 3 and len({stream for _, stream in rows}) == 1


async def test_the_history_says_who_entered_a_lead(api: Api) -> None:
    """A8: whom a reminder goes to before there is an owner."""
    lead = await api.lead()
    with psycopg.connect(api.dsn) as conn:
        found = conn.execute(
            "SELECT data ->> 'entered_by' FROM audit.events WHERE stream = %s AND version = 1",
            (lead["id"],),
        ).fetchone()
    assert found == ("admin-person",)
