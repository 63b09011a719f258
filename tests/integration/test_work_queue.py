"""The work queue over HTTP: R11, R37, R40-R42, A8, A12, A26, A31; row access as everywhere."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from psycopg import sql

from adapters.postgres.builds import ensure_live, live_builds
from adapters.postgres.tables import Connection, connect
from adapters.postgres.task_queries import escalations, tasks
from commands.lead.outcome import PauseLead
from commands.lead.ownership import AssignLead
from commands.lead.work import AdvanceLead, RecordFollowUp
from projections.catalogue import PROJECTIONS
from tests.integration.api_client import problem, running
from tests.integration.living import Living, living
from tests.integration.test_reviews_http import Office
from tests.integration.test_row_access import MANY, SCOPES, store

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2024, 5, 1, 9, 15, tzinfo=ZONE)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CONTACT = {"content": "客户对产品A功能感兴趣,要求提供案例", "feedback": "需要下周前提供报价单"}
MOMENT = 60
"""Seconds that a test may take after the clock was moved: from then on it runs."""


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Living]:
    async with living(dsn, START) as company:
        yield company


async def owned(company: Living, owner: str = "chen", **given: Any) -> UUID:
    """A lead of somebody's."""
    lead = await company.capture(**given)
    await company.say(AssignLead(owner=owner, team="east"), lead)
    return lead


async def listed(office: Office, path: str, who: str | None = None, **query: Any) -> list[Any]:
    """Every item of a list, in pages of two."""
    found: list[Any] = []
    cursor = ""
    while True:
        asked = "&".join(f"{name}={value}" for name, value in {**query, "limit": 2}.items())
        answer = await office.get(f"{path}?{asked}{cursor}", who)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next"] is None:
            return found
        cursor = f"&cursor={answer.json()['next']}"


def brief(items: list[Mapping[str, Any]]) -> list[tuple[UUID, str]]:
    """Which task of which lead."""
    return [(UUID(item["lead"]), item["name"]) for item in items]


async def test_the_queue_has_high_leads_first_and_then_what_is_due_first(
    company: Living, dsn: str
) -> None:
    """R11, R37, R104-R106: whatever came in first; with the time that is left."""
    low = await owned(company, level="low")
    unrated = await owned(company, level=None)
    late = await owned(company, level="medium")
    await company.until(START + HOUR)
    high, medium = await owned(company, level="high"), await owned(company, level="medium")
    await company.say(RecordFollowUp(**CONTACT), late, by="chen")
    await company.say(AdvanceLead(stage="方案提交"), late, by="chen")
    await company.until(START + 26 * HOUR)
    async with running(dsn) as api:
        office = Office(api)
        await api.project()
        queue = await listed(office, "/v1/tasks", "chen")
        assert brief(queue) == [
            (high, "first-follow-up"),
            (medium, "first-follow-up"),
            (late, "回访"),
            (low, "first-follow-up"),
            (unrated, "first-follow-up"),
        ]
        first, last = queue[0], queue[3]
        assert first["title"] == "首次跟进" and first["customer"] == "A科技有限公司"
        assert first["due_at"] == "2024-05-02T10:15:00+08:00" and first["overdue"] is True
        assert -MOMENT - 3600 < first["seconds_left"] <= -3600, "an hour late"
        assert 46 * 3600 - MOMENT < last["seconds_left"] <= 46 * 3600
        assert [t["overdue"] for t in queue] == [True, False, False, False, True]
        overdue = await listed(office, "/v1/tasks", "chen", overdue="true")
        assert brief(overdue) == [brief(queue)[0], brief(queue)[4]]
        soon = await listed(office, "/v1/tasks", "chen", due_before="2024-05-03T10:15:00Z")
        assert brief(soon) == [brief(queue)[n] for n in (0, 1, 4)]
        assert brief(await listed(office, "/v1/tasks", "chen", kind="stage")) == [brief(queue)[2]]
        done = await listed(office, "/v1/tasks", "chen", state="done")
        assert brief(done) == [(late, "first-follow-up")]
        assert done[0]["done_by"] == "chen" and done[0]["seconds_left"] is None


async def test_leads_are_listed_as_they_are_to_be_worked_on(company: Living, dsn: str) -> None:
    """R11: level, then due; late ones can be asked for; a paused lead has nothing due (R108)."""
    low, high = await owned(company, level="low"), await owned(company, level="high")
    await company.until(START + HOUR)
    later, quiet = await owned(company, level="high"), await owned(company, level="high")
    paused = await owned(company, level="high")
    await company.say(RecordFollowUp(**CONTACT), quiet, by="chen")
    await company.until(START + 24 * HOUR)
    await company.say(PauseLead(reason="预算未批"), paused)
    async with running(dsn) as api:
        office = Office(api)
        await api.project()
        items = await listed(office, "/v1/leads", "chen")
        ids = [UUID(item["id"]) for item in items]
        assert ids[:2] == [high, later] and set(ids[2:4]) == {quiet, paused} and ids[4:] == [low]
        assert [item["overdue"] for item in items] == [True, False, False, False, False]
        assert items[0]["due_at"] == "2024-05-02T09:15:00+08:00"
        assert [item["due_at"] for item in items[2:4]] == [None, None]
        late = await listed(office, "/v1/leads", "chen", overdue="true")
        assert [UUID(item["id"]) for item in late] == [high]
        newest = await listed(office, "/v1/leads", "chen", sort="captured_at", level="low")
        assert [UUID(item["id"]) for item in newest] == [low]
        detail = (await office.get(f"/v1/leads/{high}", "chen")).json()
        assert (detail["due_at"], detail["overdue"]) == (items[0]["due_at"], True)
        assert detail["timers"] == [
            {"name": "first-follow-up", "due_at": "2024-05-02T09:15:00+08:00", "overdue": True},
            {"name": "escalation", "due_at": "2024-05-04T09:15:00+08:00", "overdue": False},
        ]
        still = (await office.get(f"/v1/leads/{paused}", "chen")).json()
        assert (still["due_at"], len(still["timers"])) == (None, 2)


async def test_everybody_has_their_own_queue(company: Living, dsn: str) -> None:
    """R114, R115: sales their own tasks, supervisors the team's, administrators all."""
    mine, other = await owned(company), await owned(company, owner="li")
    await company.say(PauseLead(reason="预算未批"), other)
    free = await company.capture(contact_title=None)
    async with running(dsn) as api:
        office = Office(api)
        await api.project()
        tasks = {
            who: brief(await listed(office, "/v1/tasks", who))
            for who in ("chen", "li", "wang", "sales", "marketing")
        }
        assert tasks["chen"] == [(mine, "first-follow-up")]
        assert tasks["li"] == [], "what stands still asks for nothing (R108)"
        assert tasks["sales"] == tasks["marketing"] == []
        assert tasks["wang"] == [(free, "complete-info"), (mine, "first-follow-up")]
        everything = brief(await listed(office, "/v1/tasks"))
        assert set(everything) == {(mine, "first-follow-up"), (free, "complete-info")}
        assert brief(await listed(office, "/v1/tasks", "wang", owner="li")) == []
        still = await listed(office, "/v1/tasks", "wang", paused="true")
        assert brief(still) == [(other, "first-follow-up")]
        assert still[0]["seconds_left"] == 24 * 3600, "it keeps what is left (A26)"
        of_lead = (await office.get(f"/v1/leads/{other}/tasks", "wang")).json()["items"]
        assert brief(of_lead) == [(other, "first-follow-up")]
        for path in ("tasks", "sla"):
            hidden = await office.get(f"/v1/leads/{other}/{path}", "chen")
            assert hidden.content == (await office.get(f"/v1/leads/{UUID(int=7)}/{path}")).content
        problem(await office.get("/v1/tasks", "analyst"), 403, "forbidden")
        for role in ("sales", "marketing", "analyst"):
            problem(await office.get("/v1/escalations", role), 403, "forbidden")


async def test_a_former_owner_learns_nothing_of_a_lead_that_has_gone(
    company: Living, dsn: str
) -> None:
    """A17, R42: the supervisor sees what is owed; whoever lost the lead does not see the lead."""
    lead = await owned(company)
    await company.until(START + 3 * DAY)
    await company.say(AssignLead(owner="li", team="east"), lead)
    async with running(dsn) as api:
        office = Office(api)
        await api.project()
        assert await listed(office, "/v1/tasks", "chen") == []
        assert (lead, "late-reason") in brief(await listed(office, "/v1/tasks", "wang"))
        assert brief(await listed(office, "/v1/tasks", "li")) == [(lead, "first-follow-up")]


async def test_an_escalated_lead_owes_a_reason_until_somebody_gives_it(
    company: Living, dsn: str
) -> None:
    """R40-R42, A12: the owner, or the supervisor for them; the list shows what is still owed."""
    first = await owned(company, level="low")
    await company.until(START + HOUR)
    second, third = await owned(company, level="high"), await owned(company, level="high")
    await company.say(RecordFollowUp(**CONTACT), third, by="chen")
    await company.until(START + 4 * DAY)
    async with running(dsn) as api:
        office = Office(api)
        await api.project()
        items = await listed(office, "/v1/escalations", "wang")
        assert [UUID(item["lead"]) for item in items] == [second, first]
        assert items[1]["since"] == "2024-05-04T09:15:00+08:00"
        assert items[1]["owner"] == "chen" and items[1]["team"] == "east"
        assert items[1]["supervisors"] == ["wang"] and items[1]["first_response_at"] is None
        assert 4 * 86400 <= items[1]["seconds_since_assignment"] < 4 * 86400 + MOMENT
        assert [item["reason_owed"] for item in items] == [True, True]
        assert (second, "late-reason") in brief(await listed(office, "/v1/tasks", "chen"))

        path = f"/v1/leads/{second}/late-reasons"
        wrong = problem(await office.post(path, {"reason": "忘了"}, "chen"), 422, "unknown-reason")
        assert "客户未接听" in wrong["detail"]
        given = await office.post(path, {"reason": "客户未接听", "note": "打了三次"}, "chen")
        assert given.status_code == 201, given.text
        assert "late-reason" not in {t["name"] for t in given.json()["timers"]}
        again = await office.post(path, {"reason": "客户未接听", "note": "打了三次"}, "wang")
        assert again.json()["version"] == given.json()["version"], "it is said already"
        assert (await office.post(path, {"reason": "出差"}, "li")).status_code == 404
        problem(await office.post(path, {"reason": "出差"}, "marketing"), 403, "forbidden")
        in_time = f"/v1/leads/{third}/late-reasons"
        problem(await office.post(in_time, {"reason": "出差"}, "wang"), 422, "not-late")

        await api.project()
        items = await listed(office, "/v1/escalations", "wang")
        assert [UUID(item["lead"]) for item in items] == [first, second], "what is open comes first"
        assert items[1]["reason"] == "客户未接听" and items[1]["reason_owed"] is False
        assert await listed(office, "/v1/escalations", "wang", owner="li") == []
        assert len(await listed(office, "/v1/escalations", "auditor", team="east")) == 2
        assert await listed(office, "/v1/escalations", "supervisor") == []


async def test_supervisors_see_what_stays_incomplete_and_what_stands_still(
    company: Living, dsn: str
) -> None:
    """A8, A26: since when, for whom, and until when it is paused."""
    lacking, paused = await owned(company, contact_title=None), await owned(company)
    await company.say(PauseLead(reason="预算未批", resume_at=START + 30 * DAY), paused)
    await company.until(START + 2 * HOUR)
    async with running(dsn) as api:
        office = Office(api)
        await api.project()
        (item,) = await listed(office, "/v1/escalations", "wang", kind="incomplete")
        assert (UUID(item["lead"]), item["owner"]) == (lacking, "chen")
        assert item["missing"] == ["contact_title"]
        (item,) = await listed(office, "/v1/escalations", "wang", kind="paused")
        assert (UUID(item["lead"]), item["reason"]) == (paused, "预算未批")
        assert item["due_at"] == "2024-05-31T09:15:00+08:00"
        assert await listed(office, "/v1/escalations", "wang") == []


async def test_how_each_owner_met_the_first_follow_up(company: Living, dsn: str) -> None:
    """R38-R42, A10, A31: both clocks, since the capture and since this owner had the lead."""
    lead = await owned(company, level="high")
    await company.until(START + 20 * HOUR)
    await company.say(PauseLead(reason="预算未批", resume_at=START + 30 * HOUR), lead)
    await company.until(START + 40 * HOUR)
    await company.say(AssignLead(owner="li", team="east"), lead)
    await company.until(START + 65 * HOUR)
    await company.say(RecordFollowUp(**CONTACT), lead, by="li")
    async with running(dsn) as api:
        office = Office(api)
        await api.project()
        first, second = (await office.get(f"/v1/leads/{lead}/sla", "wang")).json()["items"]
        assert (first["owner"], first["outcome"], first["paused_seconds"]) == (
            "chen",
            "ended",
            36e3,
        )
        assert first["due_at"] == first["breached_at"] == "2024-05-02T19:15:00+08:00"
        assert first["ended_at"] == second["issued_at"] == "2024-05-03T01:15:00+08:00"
        assert (second["owner"], second["outcome"], second["late_seconds"]) == ("li", "late", 3600)
        assert second["since_capture_seconds"] == 65 * 3600
        assert second["since_assignment_seconds"] == 25 * 3600
        past = await office.get(f"/v1/leads/{lead}/sla?as_of=2024-05-02T20:15:00%2B08:00", "wang")
        (then,) = past.json()["items"]
        assert (then["outcome"], then["late_seconds"], then["ended_at"]) == ("overdue", 3600, None)


TASKS = """
INSERT INTO {tasks} SELECT r.* FROM {leads} l CROSS JOIN generate_series(0, 2) k,
  jsonb_populate_record(NULL::{tasks}, jsonb_build_object('lead', l.lead, 'name', 't' || k,
    'kind', (ARRAY['stage', 'late-reason', 'pause'])[1 + k], 'owner', l.owner, 'team', l.team,
    'level_rank', l.level_rank, 'due_at', l.due_at, 'position', hashtext(l.lead::text),
    'state', CASE WHEN hashtext(l.lead::text) % 2 = 0 THEN 'open' ELSE 'done' END,
    'overdue', false, 'paused', false, 'escalated_to', '[]'::jsonb)) r"""


def test_a_page_reads_about_what_it_shows(dsn: str) -> None:
    """However many tasks there are: each way into the queue has an index in its order."""
    with connect(dsn) as conn:
        for name in ("leads", "tasks"):
            ensure_live(conn, PROJECTIONS[name])
        store(conn, MANY)
        builds = live_builds(conn)
        tables = {name: sql.Identifier(builds[name].schema, name) for name in ("leads", "tasks")}
        for statement in (TASKS, "ANALYZE {tasks}", "ANALYZE {leads}"):
            conn.execute(sql.SQL(statement).format(**tables))
        for role in ("sales", "supervisor", "admin"):
            scope = SCOPES[role]
            asked = [
                *(partial(tasks, conn, {"state": s, "paused": False}, scope, now=START)
                  for s in ("open", "done")),
                *(partial(escalations, conn, kind, {}, scope) for kind in ("escalated", "paused")),
            ]  # fmt: skip
            for page in asked:
                with conn.transaction():
                    before = touched(conn)
                    _, rows = page(after=None, limit=5)
                    assert len(rows) == 5
                    assert touched(conn) - before < 400, (role, page)


def touched(conn: Connection) -> int:
    """How many rows of tasks and leads this transaction has fetched."""
    row = conn.execute(
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
        " WHERE relname IN ('tasks', 'leads')"
    ).fetchone()
    assert row
    return int(row[0])
