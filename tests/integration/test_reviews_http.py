"""Reviews and clean-up proposals over HTTP, by role; frozen reports: R71, R100, R109, R110, A25."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from httpx import Response

from adapters.tokens import issue
from commands.lead.outcome import ConvertLead
from commands.lead.ownership import AssignLead
from commands.lead.work import RecordFollowUp
from tests.integration.api_client import Api, problem, running
from tests.integration.living import Living, living

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2024, 2, 20, 9, tzinfo=ZONE)
MONTH_END, NEXT_MONTH = datetime(2024, 2, 29, tzinfo=ZONE), datetime(2024, 3, 1, tzinfo=ZONE)
HOUR = timedelta(hours=1)
CONTACT = {"content": "客户对产品A功能感兴趣,要求提供案例", "feedback": "需要下周前提供报价单"}
CLOSING = {"conclusions": "两条线索未及时跟进", "actions": ["出差时由主管代为跟进"]}


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Living]:
    async with living(dsn, START) as company:
        yield company


class Office:
    """The service as people of the company use it."""

    def __init__(self, api: Api) -> None:
        self.api = api

    async def get(self, path: str, who: str | None = None) -> Response:
        return await self.api.get(path, **self._as(who))

    async def post(self, path: str, body: Any, who: str | None = None, **headers: str) -> Response:
        given = self._as(who)
        given.setdefault("headers", {}).update(headers)
        return await self.api.post(path, body, **given)

    def _as(self, who: str | None) -> dict[str, Any]:
        """A role of somebody outside the teams, or a name of somebody in one."""
        if who in (None, "admin", "auditor", "sales", "marketing", "analyst", "supervisor"):
            return {"role": who or "admin"}
        with psycopg.connect(self.api.dsn, autocommit=True) as conn:
            token = issue(conn, who, "supervisor" if who == "wang" else "sales", str(uuid4()))
        return {"headers": {"Authorization": f"Bearer {token}"}}


async def lead_of(company: Living, owner: str = "chen", **given: Any) -> UUID:
    lead = await company.capture(**given)
    await company.say(AssignLead(owner=owner, team="east"), lead)
    return lead


async def hopeless(company: Living) -> UUID:
    """A lead whose number is wrong."""
    lead = await lead_of(company)
    for _ in range(2):
        await company.say(RecordFollowUp(outcome="wrong_number"), lead, by="chen")
    return lead


async def test_a_team_review_is_held_by_its_supervisor(company: Living, dsn: str) -> None:
    """R109, R110: their own, with conclusions, once; others do not know of it."""
    await lead_of(company)
    await company.until(datetime(2024, 2, 26, tzinfo=ZONE))
    async with running(dsn) as api:
        office = Office(api)
        await api.project()
        mine = (await office.get("/v1/reviews", "wang")).json()["items"]
        assert [(r["kind"], r["team"], r["total"]) for r in mine] == [("weekly", "east", 2)]
        path = f"/v1/reviews/{mine[0]['id']}"
        seen = await office.get(path, "wang")
        assert seen.status_code == 200 and seen.headers["ETag"] == '"1"'
        assert [i["finding"] for i in seen.json()["items"]] == ["late", "escalated"]
        assert {i["responsible"] for i in seen.json()["items"]} == {"chen"}
        problem(await office.get(path, "supervisor"), 404, "not-found")
        problem(await office.post(path + ":close", CLOSING, "supervisor"), 404, "not-found")
        for role in ("sales", "auditor", "analyst", "marketing"):
            problem(await office.post(path + ":close", CLOSING, role), 403, "forbidden")
        assert (await office.get(path, "auditor")).json() == seen.json()
        problem(
            await office.post(path + ":close", {"conclusions": " "}, "wang"), 422, "invalid-request"
        )
        closed = await office.post(path + ":close", CLOSING, "wang", **{"Idempotency-Key": "k1"})
        assert closed.status_code == 200, closed.text
        assert (closed.json()["closed_by"], closed.json()["actions"]) == (
            "wang",
            CLOSING["actions"],
        )
        again = await office.post(path + ":close", CLOSING, "wang", **{"Idempotency-Key": "k1"})
        assert again.json() == closed.json()
        other = {"conclusions": "anything else"}
        problem(await office.post(path + ":close", other), 422, "review-closed")
        await api.project()
        assert (await office.get("/v1/reviews?open=true", "wang")).json()["items"] == []
        assert len((await office.get("/v1/reviews?open=false&team=east")).json()["items"]) == 1


async def test_the_list_of_reviews_goes_on_page_by_page(company: Living, dsn: str) -> None:
    """R71: newest first, each once; filters by kind."""
    await company.until(NEXT_MONTH)
    async with running(dsn) as api:
        await api.project()
        whole = (await api.get("/v1/reviews")).json()["items"]
        found, cursor = [], ""
        while True:
            page = (await api.get(f"/v1/reviews?limit=2{cursor}")).json()
            found += page["items"]
            if not page["next"]:
                break
            cursor = f"&cursor={page['next']}"
        assert found == whole
        assert [r["kind"] for r in whole] == ["monthly", "clean-up", "weekly", "weekly"]
        monthly = (await api.get("/v1/reviews?kind=monthly")).json()["items"]
        assert [r["id"] for r in monthly] == [whole[0]["id"]]


async def test_a_months_report_stays_as_it_was_known(company: Living, dsn: str) -> None:
    """R71, R119: what is recorded later changes no byte of it, what was recorded before is in."""
    leads = [await lead_of(company, source=source) for source in ("展会", "展会", "官网注册")]
    await company.until(NEXT_MONTH - HOUR)
    await company.say(RecordFollowUp(**CONTACT), leads[0], by="chen")
    await company.say(ConvertLead(), leads[0], by="chen")
    await company.until(NEXT_MONTH)
    async with running(dsn) as api:
        await api.project()
        (review,) = (await api.get("/v1/reviews?kind=monthly")).json()["items"]
        path = f"/v1/reviews/{review['id']}/report?name="
        asked = [path + n for n in ("conversion&dimension=source", "cycle-time", "response-time")]
        before = [(await api.get(question)).content for question in asked]
        converted_at = (NEXT_MONTH - 30 * HOUR).isoformat()  # a late fact about February
        late = {"converted_at": converted_at}
        assert (await api.post(f"/v1/leads/{leads[1]}:convert", late)).status_code == 200
        await api.lead()
        await api.project()
        assert [(await api.get(question)).content for question in asked] == before
        live = (await api.get("/v1/reports/conversion")).json()
        frozen = (await api.get(path + "conversion")).json()
        assert (frozen["total"]["converted"], live["total"]["converted"]) == (1, 2)
        assert (frozen["total"]["leads"], live["total"]["leads"]) == (3, 4)
        assert frozen["position"] == review["position"] < live["position"]
        problem(await api.get(path + "conversion&at_position=1"), 400, "invalid-parameter")
        problem(await api.get(path + "nothing"), 404, "unknown-report")
        problem(await api.get(path.partition("?")[0]), 400, "invalid-parameter")


async def test_a_proposal_is_confirmed_or_dismissed_by_the_supervisor(
    company: Living, dsn: str
) -> None:
    """R100, R101, A25: never deleted, and reopened where it was wrong."""
    bad, kept, reached = [await hopeless(company) for _ in range(3)]
    await company.until(MONTH_END)
    async with running(dsn) as api:
        office = Office(api)
        await api.project()
        path = "/v1/cleanup-proposals"
        listed = (await office.get(path, "wang")).json()["items"]
        assert {(i["id"], i["reason"], i["month"]) for i in listed} == {
            (str(lead), "联系方式错误", "2024-02") for lead in (bad, kept, reached)
        }
        assert listed[0]["evidence"]["wrong_numbers"] == 2
        assert (await office.get(path, "supervisor")).json()["items"] == []
        problem(await office.get(path, "sales"), 403, "forbidden")
        for role in ("sales", "marketing", "auditor"):
            problem(await office.post(f"{path}/{bad}:confirm", {}, role), 403, "forbidden")
        problem(await office.post(f"{path}/{bad}:confirm", {}, "supervisor"), 404, "not-found")
        confirmed = await office.post(f"{path}/{bad}:confirm", {"note": "空号"}, "wang")
        assert confirmed.json()["disposition"] == "invalid"
        assert confirmed.json()["invalid_reason"] == "联系方式错误"
        dismissed = await office.post(f"{path}/{kept}:dismiss", {"reason": "有新号码"}, "wang")
        assert dismissed.json()["disposition"] == "open"
        problem(await office.post(f"{path}/{kept}:dismiss", {}, "wang"), 422, "not-proposed")
        problem(await office.post(f"{path}/{kept}:confirm", {}), 422, "not-proposed")
        assert (await api.post(f"/v1/leads/{reached}/follow-ups", CONTACT)).status_code == 201
        await api.project()
        assert (await office.get(path)).json()["items"] == []
        reopened = await office.post(f"/v1/leads/{bad}:reopen", {}, "wang")
        assert reopened.json()["disposition"] == "open"
