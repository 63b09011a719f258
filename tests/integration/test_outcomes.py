"""Screening, pausing, giving up, winning and taking back, over HTTP and in the read models."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.integration.api_client import Api, begin_simulation, problem, running

pytestmark = pytest.mark.anyio

MORNING = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)  # 09:15 in Shanghai


async def _done(api: Api, path: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
    answer = await api.post(path, body, **options)
    assert answer.status_code == 200, answer.text
    lead: dict[str, Any] = answer.json()
    return lead


async def test_a_lead_is_paused_and_goes_on(api: Api) -> None:
    """R107, R108, A15, A26: for a reason, with its owner, until it is resumed or won."""
    path = f"/v1/leads/{(await api.lead())['id']}"
    await _done(api, f"{path}:assign", {"owner": "王芳"})
    end = datetime.now(UTC) + timedelta(days=7)
    lead = await _done(api, f"{path}:pause", {"reason": "预算未批", "resume_at": end.isoformat()})
    assert (lead["activity"], lead["owner"], lead["disposition"]) == ("paused", "王芳", "open")
    assert lead["pause"]["reason"] == "预算未批"
    assert datetime.fromisoformat(lead["pause"]["resume_at"]) == end
    lead = await _done(api, f"{path}:resume", {})
    assert (lead["activity"], lead["pause"]) == ("active", None)
    await _done(api, f"{path}:pause", {"reason": "预算未批"})
    lead = await _done(api, f"{path}:convert", {"amount": "80000"})
    assert (lead["activity"], lead["pause"]) == ("active", None)
    assert (await api.get(path)).json() == lead


@pytest.mark.parametrize(
    ("verb", "body", "code"),
    [
        (":pause", {"reason": "r", "resume_at": "2024-05-01T00:00:00Z"}, "not-in-the-future"),
        (":pause", {"reason": "r", "resume_at": "2190-05-01T00:00:00Z"}, "pause-too-long"),
        (":screen", {"accepted": True}, "not-screened"),
        (":invalidate", {"reason": "没有预算"}, "unknown-reason"),
        (":convert", {"converted_at": "2020-05-01T00:00:00Z"}, "before-capture"),
    ],
)
async def test_what_the_rules_forbid(api: Api, verb: str, body: dict[str, Any], code: str) -> None:
    """R61, R101, R118, A26."""
    path = f"/v1/leads/{(await api.lead())['id']}"
    before = (await api.get(path)).json()
    found = problem(await api.post(path + verb, body), 422, code)
    assert (await api.get(path)).json() == before
    times = re.findall(r"\d{4}-\d\d-\d\dT\S+\b", found["detail"])
    assert len(times) == (code in ("pause-too-long", "before-capture")), found
    assert all(at.endswith("+08:00") and "." not in at for at in times), "the company's time"


async def test_marketing_screens_the_sources_of_the_policy(api: Api) -> None:
    """R118, A28, decision 4: accepted or rejected for a reason, by marketing alone."""
    versions = "/v1/policies/screening/versions"
    rules = {"sources": ["展会咨询"], "rejection_reasons": ["非目标客户"]}
    answer = await api.post(versions, {"document": rules, "reason": "展会前"})
    assert answer.status_code in (200, 201), answer.text
    fair = {"source": "展会咨询"}
    path = f"/v1/leads/{(await api.lead(**fair))['id']}"
    accepted = {"accepted": True}
    problem(await api.post(f"{path}:screen", accepted, role="supervisor"), 403, "forbidden")
    assert (await _done(api, f"{path}:screen", accepted, role="marketing"))["screened"] is True
    path = f"/v1/leads/{(await api.lead(**fair))['id']}"
    rejected = {"accepted": False, "reason": "无需求"}
    problem(await api.post(f"{path}:screen", rejected), 422, "unknown-reason")
    lead = await _done(api, f"{path}:screen", rejected | {"reason": "非目标客户"})
    assert (lead["disposition"], lead["invalid_reason"]) == ("invalid", "非目标客户")


async def test_a_conversion_tells_the_way_there_and_can_be_taken_back(dsn: str) -> None:
    """R59, R61-R63, A15, G4: 方案提交后第N天签约; taken back, it is where it was."""
    await begin_simulation(dsn, MORNING)
    async with running(dsn) as api:
        path = f"/v1/leads/{(await api.lead())['id']}"
        await _done(api, f"{path}:assign", {"owner": "王芳"})
        await _done(api, f"{path}:advance", {"stage": "方案提交"})
        lead = await _done(api, f"{path}:convert", {"amount": "80000"})
        assert (lead["disposition"], lead["stage"]) == ("converted", "成交")
        assert lead["conversion"]["nodes"][-1]["text"] == "方案提交后第0天签约"
        lead = await _done(api, f"{path}:reverse-conversion", {"reason": "合同撤销"})
        assert (lead["disposition"], lead["stage"]) == ("open", "方案提交")
        assert (lead["conversion"], lead["amount"]) == (None, None)


async def test_the_channels_rate_as_known_at_the_conversion_stays(api: Api) -> None:
    """R98, A24, decision 13: beside the live one, whatever is recorded later."""
    first, second = await api.lead(), await api.lead()
    await _done(api, f"/v1/leads/{first['id']}:convert", {"amount": "80000"})
    await api.lead()
    await _done(api, f"/v1/leads/{second['id']}:invalidate", {"reason": "无需求"})
    await api.project()
    row = (await api.get("/v1/reports/conversions")).json()["rows"][0]
    assert row["rate_at_conversion"] == {"rate": 0.5, "converted": 1, "leads": 2}
    assert row["rate"] == 0.333333


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("disposition=open", {"paused", "pooled", "other"}),
        ("disposition=invalid", {"lost"}),
        ("paused=true", {"paused"}),
        ("paused=false&unassigned=false", {"other"}),
        ("pool=公海", {"pooled"}),
        ("unassigned=true&disposition=open", {"paused", "pooled"}),
    ],
)
async def test_leads_are_listed_by_what_became_of_them(
    api: Api, filters: str, found: set[str]
) -> None:
    """A15, A26."""
    paths = {
        name: f"/v1/leads/{(await api.lead(customer=name))['id']}"
        for name in ("paused", "pooled", "lost", "other")
    }
    await _done(api, f"{paths['paused']}:pause", {"reason": "预算未批"})
    await _done(api, f"{paths['pooled']}:release", {})
    await _done(api, f"{paths['lost']}:invalidate", {"reason": "无需求"})
    await _done(api, f"{paths['other']}:assign", {"owner": "王芳"})
    await api.project()
    items = (await api.get(f"/v1/leads?{filters}")).json()["items"]
    assert {item["customer"] for item in items} == found


async def test_analysts_see_the_four_axes(api: Api) -> None:
    """A15, A26: stage, completeness, activity and disposition in `report.leads`."""
    lead = await api.lead()
    await api.post(f"/v1/leads/{lead['id']}:pause", {"reason": "预算未批"})
    await api.project()
    with psycopg.connect(api.dsn) as conn:
        row = conn.execute(
            "SELECT stage, completeness, activity, disposition, paused_seconds,"
            " unassignable, label_overridden, pool, screened FROM report.leads"
        ).fetchone()
    assert row == (
        *("待分配", lead["completeness"], "paused", "open", 0.0),
        *(False, False, None, None),
    )
