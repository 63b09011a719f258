"""Attributes that people type reach no report; those of a history file do (A4, R19, R72)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import scalar_row

from adapters import channels
from commands.history import source_id
from projections.reports.catalogue import REPORTS
from projections.reports.dimensions import LEAD_DIMENSIONS
from tests.integration import history_files, lead_files
from tests.integration.api_client import Api, running

pytestmark = pytest.mark.anyio

SECRETS = ("zhangwei_88", "13987654321", "13987654322", "li.na@example.cn")
TYPED: dict[str, Any] = {
    "微信": SECRETS[0],
    "备用电话": SECRETS[1],
    "号码": int(SECRETS[2]),
    "邮箱二": f"写信到 {SECRETS[3]}",
    "规模": 120,
    "vip": True,
}
MAPPING = """
key = "编号"
[columns]
"公司" = "customer"
""" + "".join(f'"{name}" = "attributes.{name}"\n' for name in TYPED)
MAPPING += '[types]\n"号码" = "number"\n"规模" = "number"\n"vip" = "yes-no"\n'
HISTORY = {"customer": "历史公司", "城市": "上海", "备用电话": "13700000000"}


@pytest.fixture
def imported(dsn: str, tmp_path: Path) -> str:
    """A company with a lead of a history file, and one that `import leads` entered."""
    history = [(1, history_files.AT, "h1", "LeadCreated", json.dumps(HISTORY))]
    file = history_files.write(tmp_path, history_files.text(history))
    done = history_files.imported(dsn, file)
    assert done.returncode == 0, done.stderr
    row = ",".join(("1", "列表公司", *map(str, (TYPED | {"vip": "是"}).values())))
    listed = lead_files.written(tmp_path, row, header=",".join(("编号", "公司", *TYPED)))
    done = lead_files.imported(dsn, listed, "--source", "lists", mapping=MAPPING)
    assert done.returncode == 0, done.stdout + done.stderr
    return dsn


@pytest.fixture
async def api(imported: str) -> AsyncIterator[Api]:
    """Leads of every origin; the same attributes are typed into each, at once or later."""
    async with running(imported) as api:
        await api.lead(attributes=TYPED)
        later = await api.lead(attributes={})
        with psycopg.connect(imported, autocommit=True) as conn:
            key = channels.add(conn, "form", "官网注册", 60)
        form = {"customer": "表单公司", "attributes": TYPED}
        assert (await api.post(f"/v1/intake/{key}", form, role=None)).status_code == 201
        for lead in (later["id"], stream_of("crm", "h1"), stream_of("lists", "1")):
            body = {"attributes": TYPED | {"更多": SECRETS[0]}}
            answer = await api.post(f"/v1/leads/{lead}:complete-info", body)
            assert answer.status_code == 200, answer.text
        await api.project()
        yield api


def stream_of(source: str, external_id: str) -> UUID:
    """The lead of another system's id."""
    return uuid5(source_id(source), external_id)


async def test_no_report_shows_what_people_typed(api: Api) -> None:
    """A4, R19: every dimension, every bucket's evidence, for analysts."""
    attributes = [f"attribute:{name}" for name in (*TYPED, *HISTORY)]
    asked = 0
    for name, report in REPORTS.items():
        of_leads = [*LEAD_DIMENSIONS, *attributes, *(f"source,{a}" for a in attributes)]
        for dimension in [*report.own_dimensions, *(of_leads if report.by_lead else ())]:
            query = {"dimension": dimension}
            answer = await api.get(f"/v1/reports/{name}", params=query, role="analyst")
            assert answer.status_code == 200, answer.text
            safe(answer.text, f"{name} by {dimension}")
            for row in answer.json()["rows"]:
                path = f"/v1/reports/{name}/rows/{row[report.key]}/evidence"
                found = await api.get(path, params=query, role="analyst")
                assert found.status_code == 200, found.text
                safe(found.text, path)
                asked += 1
    assert asked > 150


async def test_numbers_and_truth_values_count_and_texts_are_hidden(api: Api) -> None:
    """A4: a history's attributes are dimensions as they are, until somebody types another value."""

    async def buckets(name: str) -> dict[str, int]:
        query = {"dimension": f"attribute:{name}"}
        body = (await api.get("/v1/reports/conversion", params=query, role="analyst")).json()
        return {row["bucket"]: row["leads"] for row in body["rows"]}

    assert await buckets("规模") == {"120": 5}
    assert await buckets("vip") == {"true": 5}
    for hidden in ("微信", "备用电话", "号码", "邮箱二"):
        assert await buckets(hidden) == {"(hidden)": 5}
    assert await buckets("更多") == {"(hidden)": 3, "(missing)": 2}
    assert await buckets("城市") == {"上海": 1, "(missing)": 4}


async def test_no_view_for_analysts_shows_what_people_typed(api: Api) -> None:
    """A4, architecture 5."""
    with psycopg.connect(api.dsn, row_factory=scalar_row) as conn:
        views = conn.execute("SELECT viewname FROM pg_views WHERE schemaname = 'report'").fetchall()
        for view in views:
            statement = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier("report", view))
            safe("\n".join(conn.execute(statement)), f"report.{view}")
        shown = "\n".join(conn.execute("SELECT attributes::text FROM report.leads"))
    assert "(hidden)" in shown and "120" in shown and "上海" in shown


async def test_the_lead_itself_shows_them_masked(api: Api) -> None:
    """A4: to those who may see the lead."""
    lead = stream_of("lists", "1")
    shown = (await api.get(f"/v1/leads/{lead}")).json()["attributes"]
    assert shown["微信"] == "zhangwei_88" and shown["规模"] == 120
    assert shown["备用电话"] == "139****4321" and shown["号码"] == "139****4322"


def safe(text: str, where: str) -> None:
    leaks = [secret for secret in SECRETS if secret in text]
    assert not leaks, f"{where} shows {leaks}"
