"""The three tables of the brief, each field of them, from the commands to what is read."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.api_client import Api

pytestmark = pytest.mark.anyio
SHANGHAI = ZoneInfo("Asia/Shanghai")

LEAD = {
    "customer": "A科技有限公司",
    "contact": "李经理",
    "contact_title": "采购经理",
    "phone": "13912345678",
    "source": "官网注册",
    "industry": "信息技术",
    "need": "需要采购50台办公电脑",
    "owner": "王芳",
}
FOLLOW_UP = {
    "method": "电话沟通",
    "content": "客户对产品A功能感兴趣,要求提供案例",
    "feedback": "需要下周前提供报价单",
    "next_step": "发送方案",
    "next_step_due": "2024-05-10",
    "by": "李明",
    "stage": "需求确认",
}


async def test_table_1_the_lead(api: Api) -> None:
    """R15, R16, R17, R18, R20, R21, R22, R72, R73, R74, R75, R76, R77, R78, R79, R80, R81, G5."""
    before = datetime.now(SHANGHAI)
    lead = await api.lead(**LEAD)
    days = {f"{day:%Y%m%d}" for day in (before, datetime.now(SHANGHAI))}  # midnight may pass
    assert lead["code"] in {f"XLSH{day}001" for day in days}
    shown = {name: lead[name] for name in LEAD}
    assert shown == LEAD | {"phone": "139****5678"}
    assert (lead["level"], lead["segment"]) == ("high", "采购决策")
    captured_at = datetime.fromisoformat(lead["captured_at"])
    assert before <= captured_at <= before + timedelta(seconds=30)
    await api.project()
    (row,) = (await api.get("/v1/leads")).json()["items"]
    listed = LEAD.keys() - {"contact", "contact_title", "need"}
    assert {name: row[name] for name in listed} == {name: shown[name] for name in listed}


async def test_table_2_the_follow_up(api: Api) -> None:
    """R39, R46, R47, R48, R49, R50, R51, R52, R82, R83, R84, R85, R86, R87, R88, R89, R90."""
    lead = await api.lead(**LEAD)
    at = (datetime.now(SHANGHAI) - timedelta(hours=3)).isoformat()
    path = f"/v1/leads/{lead['id']}"
    answer = await api.post(f"{path}/follow-ups", FOLLOW_UP | {"occurred_at": at})
    assert answer.status_code == 201, answer.text
    after = answer.json()
    assert after["stage"] == "需求确认"
    await api.project()
    (row,) = (await api.get(f"{path}/follow-ups")).json()["items"]
    assert row["code"].startswith("GJ") and row["code"].endswith("001")
    assert {name: row[name] for name in FOLLOW_UP} == FOLLOW_UP
    assert datetime.fromisoformat(row["at"]) == datetime.fromisoformat(at)
    assert datetime.fromisoformat(row["recorded_at"]) > datetime.fromisoformat(at)


async def test_table_3_the_conversion(api: Api) -> None:
    """R59, R62, R64, R91, R92, R93, R94, R95, R96, R97, R98, A24: its rate then and now.

    One of two leads of the channel is won, then a third one comes in: 50 % then, 33 % now.
    """
    lead, *_ = [await api.lead(**LEAD | {"customer": f"客户{n}"}) for n in range(2)]
    at = datetime.now(SHANGHAI).replace(microsecond=0) + timedelta(seconds=1)
    won: dict[str, Any] = {"converted_at": at.isoformat(), "amount": "85000"}
    answer = await api.post(f"/v1/leads/{lead['id']}:convert", won)
    assert answer.status_code == 200, answer.text
    await api.lead(**LEAD | {"customer": "客户2"})
    await api.project()
    (row,) = (await api.get("/v1/reports/conversions")).json()["rows"]
    assert (row["lead"], row["code"], row["owner"]) == (lead["code"], lead["code"], "王芳")
    assert datetime.fromisoformat(row["converted_at"]) == at
    assert row["cycle_days"] in (0, 1)
    assert (row["source"], row["industry"], row["amount"]) == ("官网注册", "信息技术", "85000.00")
    assert row["rate_at_conversion"] == {"rate": 0.5, "converted": 1, "leads": 2}
    assert row["rate"] == pytest.approx(1 / 3, abs=1e-6)


async def test_the_three_families_of_reports(api: Api) -> None:
    """R13, R14, R65, R66, R67, A3: rate by channel and by owner, cycle by industry, contact times.

    Nobody asked for them to be made: they are there.
    """
    first = await api.lead(**LEAD)
    await api.lead(**LEAD | {"source": "展会咨询", "owner": "李明"})
    await api.post(f"/v1/leads/{first['id']}/follow-ups", FOLLOW_UP)
    answer = await api.post(f"/v1/leads/{first['id']}:convert", {"amount": "80000"})
    assert answer.status_code == 200, answer.text
    await api.project()

    async def rows(report: str, dimension: str) -> dict[str, dict[str, Any]]:
        answer = await api.get(f"/v1/reports/{report}", params={"dimension": dimension})
        assert answer.status_code == 200, answer.text
        return {row["bucket"]: row for row in answer.json()["rows"]}

    by_source = await rows("conversion", "source")
    assert {name: row["rate"] for name, row in by_source.items()} == {"官网注册": 1, "展会咨询": 0}
    by_owner = await rows("conversion", "owner")
    assert {name: row["rate"] for name, row in by_owner.items()} == {"王芳": 1, "李明": 0}
    assert (await rows("cycle-time", "industry"))["信息技术"]["calendar_days"]["mean"] in (0, 1)
    assert (await rows("response-time", "source"))["官网注册"]["n"] == 1
    assert (await rows("follow-up-cadence", "source"))["官网注册"]["n"] == 0
