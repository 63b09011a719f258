"""Reading over HTTP: leads as they are and were, pages, reports with their evidence, health."""

import threading
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres.runner import catch_up
from commands.leads import WIRING
from tests.integration.api_client import (
    CONTACT,
    CUSTOMER,
    Api,
    begin_simulation,
    problem,
    running,
)
from tests.integration.report_log import Log, captured, contacted, won

pytestmark = pytest.mark.anyio


async def test_a_lead_is_shown_as_it_was_and_as_it_was_known(api: Api) -> None:
    lead = await api.lead()
    path = f"/v1/leads/{lead['id']}"
    between = datetime.now(UTC).isoformat()
    await api.post(path + "/follow-ups", CONTACT | {"occurred_at": "2024-05-01T09:15:00+08:00"})

    now = await api.get(path)
    assert now.json()["follow_ups"] == 1
    assert now.headers["etag"] == '"8"'
    known = await api.get(path, params={"as_known": between})
    assert known.json()["follow_ups"] == 0
    assert "etag" not in known.headers, "it is no version that a command could expect"
    past = await api.get(path, params={"as_of": between})
    assert past.json()["follow_ups"] == 1, "the contact was before, though recorded after"
    problem(await api.get(path, params={"as_of": "2024-05-02T00:00:00Z"}), 404, "not-found")


async def test_a_plus_written_plainly_into_a_url_is_understood(api: Api) -> None:
    path = f"/v1/leads/{(await api.lead())['id']}"
    assert (await api.get(path + "?as_known=2199-01-01T00:00:00+08:00")).status_code == 200
    for nonsense in ("2024-05-01", "2024-05-01T00:00:00", "now", "1714521600", "9999-12-31T23:59Z"):
        problem(await api.get(path, params={"as_of": nonsense}), 422, "invalid-request")


async def test_a_lead_that_only_an_import_knows_is_shown_as_not_captured(api: Api) -> None:
    Log(api.dsn).append(contacted("old", None))
    with psycopg.connect(api.dsn) as conn:
        stream = conn.execute("SELECT stream FROM audit.events").fetchone()
    assert stream
    lead = (await api.get(f"/v1/leads/{stream[0]}")).json()
    assert (lead["captured"], lead["code"], lead["first_response_at"]) == (False, None, None)
    answer = await api.post(f"/v1/leads/{stream[0]}:assign", {"owner": "王芳"})
    problem(answer, 422, "not-captured")


async def test_pages_bring_every_lead_once_newest_first(api: Api) -> None:
    Log(api.dsn).append(captured("u1", None), captured("u2", None), captured("u3", None))
    newest = [(await api.lead())["id"] for _ in range(4)][::-1]
    await api.project()
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"limit": 2, "sort": "captured_at"}
    while True:
        page = (await api.get("/v1/leads", params=query)).json()
        found += page["items"]
        if page["next"] is None:
            break
        assert len(page["items"]) == 2
        query["cursor"] = page["next"]
    assert [lead["id"] for lead in found[:4]] == newest
    assert [lead["captured_at"] for lead in found[4:]] == [None] * 3
    assert len({lead["id"] for lead in found}) == 7


async def test_a_list_is_filtered_by_all_that_is_asked(api: Api) -> None:
    wanted = await api.lead(owner="王芳", industry="制造业", region="华南")
    await api.lead(owner="王芳", industry="教育")
    await api.lead(industry="制造业")
    await api.project()
    for filters in (
        {"owner": "王芳", "industry": "制造业"},
        {"region": "华南"},
        {"stage": "待跟进", "source": "官网注册", "industry": "制造业"},
    ):
        items = (await api.get("/v1/leads", params=filters)).json()["items"]
        assert [lead["id"] for lead in items] == [wanted["id"]], filters
    assert (await api.get("/v1/leads", params={"owner": "nobody"})).json()["items"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=0", 422),
        ("limit=201", 400),
        ("limit=x", 422),
        ("page=2", 422),
        ("cursor=nonsense", 400),
        ("cursor=W10", 400),
        ("owner=%00", 422),
        ("min_position=-1", 422),
    ],
)
async def test_an_odd_query_is_refused(api: Api, query: str, status: int) -> None:
    for path in ("/v1/leads", f"/v1/leads/{uuid4()}/follow-ups"):
        answer = await api.get(f"{path}?{query}")
        code = {400: "invalid-parameter", 422: "invalid-request"}[status]
        found = problem(answer, status, code)
        assert found["errors"][0]["parameter"]


async def test_follow_ups_come_in_pages_in_the_order_of_recording(api: Api) -> None:
    path = f"/v1/leads/{(await api.lead())['id']}/follow-ups"
    for n in range(5):
        await api.post(path, CONTACT | {"content": f"第 {n} 次:客户要求提供案例"})
    await api.project()
    found, cursor = [], None
    for _ in range(3):
        page = (
            await api.get(path, params={"limit": 2, "cursor": cursor} if cursor else {"limit": 2})
        ).json()
        found += [item["content"][2] for item in page["items"]]
        cursor = page["next"]
    assert found == list("01234")
    assert cursor is None


async def test_a_read_waits_for_the_position_it_asks_for(api: Api) -> None:
    answer = await api.post("/v1/leads", CUSTOMER)
    position = answer.headers["leadlog-position"]
    late = await api.get("/v1/leads", params={"min_position": position})
    problem(late, 503, "unavailable")
    assert late.headers["retry-after"] == "1"
    catch_up(api.dsn)  # the first time takes longer than a read waits
    position = (await api.post("/v1/leads", CUSTOMER)).headers["leadlog-position"]
    worker = threading.Timer(0.1, catch_up, [api.dsn])
    worker.start()
    page = await api.get("/v1/leads", params={"min_position": position})
    worker.join()
    assert len(page.json()["items"]) == 2
    assert page.headers["leadlog-position"] == str(page.json()["position"]) == position


async def test_a_lead_itself_is_never_behind(api: Api) -> None:
    answer = await api.post("/v1/leads", CUSTOMER)
    path, position = answer.headers["location"], answer.headers["leadlog-position"]
    lead = await api.get(path, params={"min_position": position})
    assert lead.headers["leadlog-position"] == position
    beyond = await api.get(path, params={"min_position": int(position) + 1})
    problem(beyond, 503, "unavailable")


async def test_a_fresh_code_is_waited_for_and_a_wrong_one_is_not_found(api: Api) -> None:
    lead = await api.lead()
    problem(await api.get(f"/v1/leads/{lead['code']}"), 503, "unavailable")
    worker = threading.Timer(0.1, catch_up, [api.dsn])
    worker.start()
    assert (await api.get(f"/v1/leads/{lead['code']}")).json() == lead
    worker.join()
    started = time.monotonic()
    problem(await api.get("/v1/leads/XLSH19990101001"), 404, "not-found")
    assert time.monotonic() - started < 0.4, "nothing to wait for: the read models are at the end"


async def test_the_cycle_of_the_briefs_own_sample_is_19_days(dsn: str) -> None:
    """R12, R61, golden case 1, G1: from the command to the report."""
    await begin_simulation(dsn, datetime(2024, 5, 1, 1, 15, tzinfo=UTC))
    Log(dsn).append(
        captured("sample", "2024-05-01 09:15:00", industry="信息技术"),
        won("sample", "2024-05-20 11:00:00", "85000"),
    )
    async with running(dsn) as api:
        await api.project()
        query = {"dimension": "industry"}
        body = (await api.get("/v1/reports/cycle-time", params=query)).json()
        row = next(row for row in body["rows"] if row["bucket"] == "信息技术")
        assert row["n"] == 1
        assert row["calendar_days"]["mean"] == 19


async def test_the_evidence_of_a_cell_counts_as_many_leads_as_the_cell(api: Api) -> None:
    for n in range(5):
        lead = await api.lead(source="官网/注册 A|B" if n else "展会")
        if n % 2:
            await api.post(f"/v1/leads/{lead['id']}:convert", {"amount": "10.50"})
    await api.project()
    report = await api.get("/v1/reports/conversion", params={"dimension": "source"})
    rows = {row["bucket"]: row for row in report.json()["rows"]}
    assert rows["官网/注册 A|B"]["leads"] == 4
    assert rows["官网/注册 A|B"]["amount"] == "21.00"
    assert report.headers["leadlog-position"] == str(report.json()["position"])
    for bucket, row in rows.items():
        path = f"/v1/reports/conversion/rows/{bucket.replace('/', '%2F')}/evidence"
        evidence = await pages(api, path, {"dimension": "source", "limit": 3})
        assert len(evidence) == row["leads"]
        assert sum(one["converted_position"] is not None for one in evidence) == row["converted"]


async def pages(api: Api, path: str, query: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = (await api.get(path, params=query)).json()
        found += page["rows"]
        if page["next"] is None:
            return found
        query = query | {"cursor": page["next"]}


async def test_reports_take_their_parameters_and_no_others(api: Api) -> None:
    await api.lead()
    await api.project()
    problem(await api.get("/v1/reports/weather"), 404, "unknown-report")
    for name, value, status in (
        ("dimension", "colour", 422),
        ("colour", "red", 422),
        ("cohort", "2024-13", 422),
        ("as_of", "2024-05-01", 400),
        ("at_position", "-1", 400),
        ("at_position", "999999", 422),
        ("min_position", "x", 400),
    ):
        answer = await api.get("/v1/reports/conversion", params={name: value})
        found = problem(answer, status, "invalid-parameter")
        assert found["errors"][0]["parameter"] == name
    at = await api.get("/v1/reports/conversion", params={"at_position": "1"})
    assert at.json()["total"]["leads"] == 1
    past = await api.get("/v1/reports/conversion", params={"as_of": "2024-05-01T00:00:00+08:00"})
    assert past.json()["total"]["leads"] == 0


async def test_nul_in_a_path_or_a_parameter_does_no_harm(api: Api) -> None:
    await api.project()
    for path in (
        "/v1/leads/%00",
        "/v1/reports/conversion?dimension=attribute:%00",
        "/v1/reports/conversion/rows/%00/evidence?dimension=source",
    ):
        answer = await api.get(path)
        assert 400 <= answer.status_code < 500, path
        assert "PostgreSQL" not in answer.text, path


async def test_the_api_describes_itself(api: Api) -> None:
    document = (await api.get("/openapi.json", role=None)).json()
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    assert schemas["Lead"]["required"] == list(await api.lead())
    assert [*schemas["Lead"]["required"], "merged"] == list(schemas["Lead"]["properties"])
    assert {model.__name__ for model in WIRING} <= schemas.keys()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation.get("summary") or operation.get("description"), (method, path)
            body = operation.get("requestBody")
            if body and "application/json" in body["content"]:  # else it is a file, or nothing
                schema = body["content"]["application/json"]["schema"]["$ref"]
                assert schemas[schema.removeprefix("#/components/schemas/")]["examples"]
