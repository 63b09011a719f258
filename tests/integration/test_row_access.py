"""Whose leads are there for whom: nothing else can be read, changed, found or counted."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from random import Random
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx import Response
from psycopg import sql
from psycopg.types.json import Jsonb

from adapters.postgres import lead_list
from adapters.postgres.builds import ensure_live, live_builds
from adapters.postgres.row_scope import arguments, within
from adapters.postgres.tables import Connection, connect
from aggregates.directory.scope import EVERYTHING, Scope
from aggregates.lead.state import Lead
from api.command_route import CommandRoute
from projections.catalogue import PROJECTIONS
from tests.integration.api_client import CONTACT, Api, problem, running
from tests.integration.test_api_access import BODIES
from tests.seed import SEED

pytestmark = pytest.mark.anyio

VISIBLE = {
    "sales": {"own", "shared"},
    "supervisor": {"own", "team", "unowned"},
    "marketing": {"unowned"},
    "admin": {"own", "team", "other", "shared", "pooled", "unowned"},
    "auditor": {"own", "team", "other", "shared", "pooled", "unowned"},
    "analyst": set(),
}
WORKED_ON = VISIBLE | {"sales": {"own"}}
"""A share is for reading."""
OWNERS = {"own": "sales-person", "team": "li", "other": "wu", "shared": "wu"}
NOBODY = str(UUID(int=7))
FIELDS = {
    "lead.share": {"person": "li"},
    "lead.screen": {"accepted": True},
    "lead.pause": {"reason": "预算未批"},
    "lead.assign": {"owner": "li"},
    "lead.hand-over": {"to": "li"},
    "lead.convert": {"amount": "1"},
}


class World:
    """Leads of every kind of owner, named by it, in a company of two teams."""

    def __init__(self, api: Api, leads: Mapping[str, Mapping[str, Any]]) -> None:
        self.api = api
        self.leads = leads
        self.names = {str(lead["id"]): name for name, lead in leads.items()}

    def named(self, items: list[Mapping[str, Any]]) -> set[str]:
        """Which leads these are."""
        return {self.names[str(item.get("lead") or item["id"])] for item in items}


@pytest.fixture
async def world(dsn: str) -> AsyncIterator[World]:
    async with running(dsn) as api:
        for name, role, team in (
            ("sales-person", "sales", "east"),
            ("supervisor-person", "supervisor", "east"),
            ("li", "sales", "east"),
            ("wu", "sales", "west"),
        ):
            answer = await api.post("/v1/users", {"name": name, "role": role, "team": team})
            assert answer.status_code == 201, answer.text
        leads = {}
        for number, name in enumerate(sorted(VISIBLE["admin"])):
            details = {"customer": f"客户{name}", "phone": f"1391234567{number}", "email": None}
            leads[name] = await api.lead(**details, owner=OWNERS.get(name))
        share = {"person": "sales-person"}
        for name, verb, body in (("shared", "/shares", share), ("pooled", ":release", {})):
            answer = await api.post(f"/v1/leads/{leads[name]['id']}{verb}", body)
            assert answer.is_success, answer.text
        await api.project()
        yield World(api, leads)


def routes(app: FastAPI, more: Mapping[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and body of everything that has a lead in its path."""
    commands = {r.path_format: r.name for r in app.routes if isinstance(r, CommandRoute)}
    bodies: Mapping[str, Any] = {**BODIES, **FIELDS, **more}
    return [
        (method.upper(), path, bodies.get(commands.get(path, ""), {}))
        for path, item in app.openapi()["paths"].items()
        for method in item
        if path.startswith("/v1/leads/{ref}")
    ]


async def said(api: Api, method: str, path: str, body: Any, ref: str, role: str) -> Response:
    """The answer, which changes nothing: a command expects a version that no lead has."""
    url = path.format(ref=ref, attachment=NOBODY)
    options: dict[str, Any] = {"headers": {"If-Match": '"999"'}, "json": body}
    if path.endswith("/attachments") and method == "POST":
        options |= {"params": {"name": "A科技公司-报价单-20240502.pdf"}, "json": None}
    return await api.call(method, url, role=role, **options if method == "POST" else {})


@pytest.mark.parametrize("role", VISIBLE)
async def test_a_foreign_lead_is_answered_like_one_that_never_was(world: World, role: str) -> None:
    """R114-R116, A17, A27, A28, A32: every route, by UUID and by code, whatever If-Match says."""
    into = {"into": world.leads["unowned"]["id"]}
    other = {"other": world.leads["unowned"]["id"]}
    named = {"lead.merge": into, "lead.dismiss-duplicate": other}
    for method, path, body in routes(world.api.app, named):
        await world.api.project()  # what was read is on record: an unknown code waits for that
        nothing = await said(world.api, method, path, body, NOBODY, role)
        assert nothing.status_code in (403, 404), (path, nothing.text)
        no_code = await said(world.api, method, path, body, "XLSH20000101001", role)
        assert no_code.content == nothing.content
        for name, lead in world.leads.items():
            claims = name == "pooled" and path.endswith(":claim")
            for ref in (lead["id"], lead["code"]):
                answer = await said(world.api, method, path, body, ref, role)
                hidden = answer.content == nothing.content
                seen = name in VISIBLE[role] or claims
                there = nothing.status_code == 404 and seen
                assert hidden is not there, (method, path, name, answer.text)
                if there and method == "POST" and not claims and name not in WORKED_ON[role]:
                    problem(answer, 403, "shared-for-reading")


async def test_a_share_lets_nobody_change_the_lead(world: World) -> None:
    """R56, A17: it shows the lead, in whatever role; in a pool only the pool shows it."""
    api, lead = world.api, world.leads["other"]
    person = {"name": "marketing-person", "role": "marketing", "team": "east"}
    assert (await api.post("/v1/users", person)).status_code == 201
    url = f"/v1/leads/{lead['id']}"
    for role in ("sales", "supervisor", "marketing"):
        shared = await api.post(f"{url}/shares", {"person": f"{role}-person"})
        assert shared.status_code == 201, shared.text
    before = (await api.get(url)).json()
    given = [
        ("sales", ":pause", {"reason": "预算未批"}),
        ("sales", ":hand-over", {"to": "sales-person"}),
        ("sales", ":convert", {"amount": "1"}),
        ("sales", ":complete-info", {"need": "x"}),
        ("sales", "/follow-ups", CONTACT),
        ("supervisor", ":assign", {"owner": "li"}),
        ("supervisor", ":hand-over", {"to": "li"}),
        ("marketing", ":assign", {"owner": "li"}),
        ("marketing", ":invalidate", {"reason": "无效"}),
    ]
    for role, verb, body in given:
        assert (await api.get(url, role=role)).status_code == 200
        problem(await api.post(url + verb, body, role=role), 403, "shared-for-reading")
    name = {"name": "客户other-报价单-20240502.pdf"}
    path = f"{url}/attachments"
    upload = await api.call("POST", path, role="sales", params=name, content=b"%PDF-1.7")
    problem(upload, 403, "shared-for-reading")
    merge = f"/v1/leads/{world.leads['unowned']['id']}:merge"
    merged = await api.post(merge, {"into": lead["id"]}, role="supervisor")
    problem(merged, 403, "shared-for-reading")
    assert (await api.get(url)).json() == before
    assert (await api.post(f"{url}:release", {})).status_code == 200
    await api.project()
    for role in ("sales", "supervisor", "marketing"):
        assert (await api.get(url, role=role)).status_code == 404
        listed = (await api.get("/v1/leads", role=role)).json()["items"]
        assert "other" not in world.named(listed)


async def test_a_capture_tells_nothing_of_leads_outside_the_scope(world: World) -> None:
    """R2, A17, R114: that there is one, and by what; which one only where one may see it."""
    api, foreign, own = world.api, world.leads["other"], world.leads["own"]
    unseen = {"id": None, "code": None, "certain": True, "by": ["phone"]}
    foreign_phone = {"phone": "13912345670"}
    assert foreign["phone"] == "139****5670"

    def told(answer: Response) -> list[Any]:
        assert answer.is_success, answer.text
        assert foreign["id"] not in answer.text and foreign["code"] not in answer.text
        body = answer.json()
        found: list[Any] = body.get("results", [{"lead": body}])[0]["lead"]["duplicates"]
        return found

    captured = await api.post("/v1/leads", {"customer": "新", **foreign_phone}, role="sales")
    assert told(captured) == [unseen]
    assert told(await api.get(f"/v1/leads/{captured.json()['id']}", role="sales")) == [unseen]
    batch = {"leads": [{"customer": "再", **foreign_phone}]}
    found = told(await api.post("/v1/leads:batch", batch, role="sales"))
    assert unseen in found
    completed = f"/v1/leads/{own['id']}:complete-info"
    assert unseen in told(await api.post(completed, foreign_phone, role="sales"))
    again = await api.post("/v1/leads", {"customer": "三", **foreign_phone}, role="sales")
    names = {d["code"] for d in again.json()["duplicates"]}
    assert own["code"] in names and foreign["code"] not in names
    everything = (await api.get(f"/v1/leads/{captured.json()['id']}")).json()["duplicates"]
    assert foreign["code"] in {d["code"] for d in everything}


async def test_a_merge_tells_nothing_of_leads_outside_the_scope(world: World) -> None:
    """A1, R114: neither which leads count under one's own, nor under which one it counts."""
    api, foreign, own = world.api, world.leads["other"], world.leads["own"]
    url = f"/v1/leads/{own['id']}"
    hidden = {"id": None, "code": None}
    shown = {"id": foreign["id"], "code": foreign["code"]}
    merged = await api.post(f"/v1/leads/{foreign['id']}:merge", {"into": own["id"]})
    assert merged.status_code == 200, merged.text
    await api.project()
    assert (await api.get(url, role="sales")).json()["merged"] == [hidden]
    assert (await api.get(url)).json()["merged"] == [shown]
    undone = await api.post(f"/v1/leads/{foreign['id']}:unmerge", {})
    assert undone.status_code == 200, undone.text
    assert (await api.post(f"{url}:merge", {"into": foreign["id"]})).status_code == 200
    assert (await api.get(url, role="sales")).json()["merged_into"] == hidden
    assert (await api.get(url)).json()["merged_into"] == shown
    refused = await api.post(f"{url}/follow-ups", CONTACT, role="sales")
    assert foreign["code"] not in problem(refused, 422, "lead-merged")["detail"]


async def test_files_are_taken_out_by_those_who_work_on_leads(world: World) -> None:
    """R56, R116: an auditor sees that there is a file, and not what is in it."""
    api, lead = world.api, world.leads["own"]
    url = f"/v1/leads/{lead['id']}/attachments"
    name = {"name": "客户own-报价单-20240502.pdf"}
    added = await api.call("POST", url, params=name, content=b"%PDF-1.7")
    assert added.status_code == 201, added.text
    for role in ("auditor", "analyst"):
        problem(await api.get(added.headers["location"], role=role), 403, "forbidden")
    assert (await api.get(url, role="auditor")).json()["items"][0]["name"] == name["name"]
    for role in ("sales", "supervisor", "admin"):
        assert (await api.get(added.headers["location"], role=role)).content == b"%PDF-1.7"


@pytest.mark.parametrize("verb", [(":merge", "into"), (":dismiss-duplicate", "other")])
@pytest.mark.parametrize("role", ["supervisor", "marketing"])
async def test_a_command_names_only_leads_that_one_may_see(
    world: World, role: str, verb: tuple[str, str]
) -> None:
    path = f"/v1/leads/{world.leads['unowned']['id']}{verb[0]}"
    nothing = await world.api.post(path, {verb[1]: NOBODY}, role=role)
    assert nothing.status_code == 404
    for name in world.leads.keys() - VISIBLE[role]:
        for ref in (world.leads[name]["id"], world.leads[name]["code"]):
            answer = await world.api.post(path, {verb[1]: ref}, role=role)
            assert answer.content == nothing.content, name


@pytest.mark.parametrize("role", ["sales", "supervisor", "marketing", "admin", "auditor"])
async def test_lists_filters_search_and_cursors_show_the_scope_alone(
    world: World, role: str
) -> None:
    """R114, R115, A17: what is outside is not listed, not found, not counted."""
    api, visible = world.api, VISIBLE[role]

    async def listed(**query: Any) -> set[str]:
        answer = await api.get("/v1/leads", params=query, role=role)
        assert answer.status_code == 200, answer.text
        return world.named(answer.json()["items"])

    assert await listed() == visible
    assert await listed(sort="captured_at") == visible
    for name, lead in world.leads.items():
        for query in ({"q": f"客户{name}"}, {"q": lead["code"].lower()}):
            assert await listed(**query) == {name} & visible
    for owner in ("sales-person", "li", "wu"):
        assert await listed(owner=owner) == {n for n in visible if OWNERS.get(n) == owner}
    pages = []
    query: dict[str, Any] = {"limit": 1}
    while len(pages) < 9:
        page = (await api.get("/v1/leads", params=query, role=role)).json()
        pages += page["items"]
        if not page["next"]:
            break
        query["cursor"] = page["next"]
    assert len(pages) == len(visible) and world.named(pages) == visible
    for position in range(3):  # the administrator's cursors show others no more
        page = (await api.get("/v1/leads", params={"limit": position + 1})).json()
        assert await listed(cursor=page["next"]) <= visible


async def test_a_supervisors_reports_are_the_teams(world: World) -> None:
    """R115: figures, evidence and earlier states count the leads of the scope as it is now."""
    api = world.api
    ahead = {"as_of": "2199-01-01T00:00:00Z"}
    for role, expected in (("supervisor", "supervisor"), ("admin", "admin"), ("analyst", "admin")):
        for query in ({}, ahead):
            path = "/v1/reports/conversion"
            body = (await api.get(path, params=query, role=role)).json()
            assert body["total"]["leads"] == len(VISIBLE[expected])
            found = (await api.get(path + "/rows/all/evidence", params=query, role=role)).json()
            assert world.named(found["rows"]) == VISIBLE[expected]
    wu = await api.get("/v1/reports/conversion", params={"dimension": "owner"}, role="supervisor")
    assert "wu" not in wu.text
    moved = await api.post(f"/v1/leads/{world.leads['team']['id']}:hand-over", {"to": "wu"})
    assert moved.status_code == 200, moved.text
    await api.project()
    before = {"at_position": int(moved.headers["leadlog-position"]) - 1}
    for role, number in (("supervisor", 2), ("admin", 6)):
        past = (await api.get("/v1/reports/conversion", params=before, role=role)).json()
        assert past["total"]["leads"] == number, "what left the team is gone from its past as well"


async def test_a_pair_is_queued_for_those_who_may_see_both(world: World) -> None:
    """R2, R115."""
    api = world.api
    pairs = (("own", "team"), ("team", "other"))
    for number, (_, b) in enumerate(pairs):
        phone = {"phone": f"1380000000{number}"}
        for name in pairs[number]:
            answer = await api.post(f"/v1/leads/{world.leads[name]['id']}:complete-info", phone)
            assert answer.status_code == 200, (b, answer.text)
    await api.project()
    shown = {}
    for role in ("admin", "supervisor", "marketing"):
        items = (await api.get("/v1/duplicates", role=role)).json()["items"]
        shown[role] = {
            frozenset((world.names[i["lead"]["id"]], world.names[i["other"]["id"]])) for i in items
        }
    assert shown["marketing"] == set()
    assert shown["supervisor"] == {pair for pair in shown["admin"] if pair <= VISIBLE["supervisor"]}


NAMES = (None, "a", "b", "c")


def test_the_sql_of_a_scope_is_the_scope(dsn: str) -> None:
    """R114-R116: the condition, the pages and `Scope.sees` agree on any lead."""
    print(f"SEED={SEED}")
    draw = Random(SEED)
    with connect(dsn) as conn:
        ensure_live(conn, PROJECTIONS["leads"])
        table = fill(conn, draw, 300)
        for _ in range(60):
            scope = Scope(
                draw.choice(NAMES[1:]),
                owners=frozenset(draw.sample(NAMES[1:], draw.randint(0, 2))),
                teams=frozenset(draw.sample(NAMES[1:], draw.randint(0, 2))),
                unowned=draw.random() < 0.5,
            )
            scope = draw.choice((scope, scope, scope, replace(scope, everything=True)))
            leads = [lead for lead in map(lead_of, table) if scope.sees(lead)]
            expected = {lead.id for lead in leads}
            place = live_builds(conn)["leads"].schema
            query = f"SELECT l.lead FROM {place}.leads l WHERE {within('l')}"
            found = conn.execute(query.encode(), arguments(scope)).fetchall()
            assert {row[0] for row in found} == expected
            for sort in lead_list.SORTS:
                assert paged(conn, scope, sort, 7) == expected


def paged(conn: Connection, scope: Scope, sort: str, limit: int) -> set[UUID]:
    """All leads of a scope, page by page, each once."""
    found: list[UUID] = []
    after = None
    while True:
        _, rows = lead_list.leads(conn, {}, scope, sort=sort, after=after, limit=limit)
        found += [row["id"] for row in rows]
        if len(rows) < limit:
            break
        after = rows[-1]["place"]
    assert len(found) == len(set(found))
    return set(found)


def lead_of(row: Mapping[str, Any]) -> Lead:
    return Lead(
        UUID(row["lead"]),
        version=1,
        profile={"owner": row["owner"], "team": row["team"]},
        pool=row["pool"],
        entered_by=row["entered_by"],
        shared_with=frozenset(row["shared_with"]),
    )


BLANK = {
    "owners": [], "missing": [], "suspects": [], "attributes": {}, "masked_attributes": {},
    "follow_ups": 0, "version": 0, "position": 0, "paused_seconds": 0, "attachments": 0,
    "converted": False, "invalidated": False, "merged": False, "label_overridden": False,
    "unassignable": False, "paused": False, "captured": True, "shared_with": [],
    "clocks": {}, "rang": [], "level_rank": 3, "overdue": False,
}  # fmt: skip


def store(conn: Connection, rows: str, *args: Any) -> None:
    """Put rows into the read model, which a query gives as JSON, with `BLANK` for the rest."""
    leads = sql.Identifier(live_builds(conn)["leads"].schema, "leads")
    statement = "INSERT INTO {0} SELECT (jsonb_populate_record(NULL::{0}, %s || r)).* FROM ({1}) r"
    conn.execute(sql.SQL(statement).format(leads, sql.SQL(rows)), (Jsonb(BLANK), *args))


def fill(conn: Connection, draw: Random, number: int) -> list[dict[str, Any]]:
    """Leads as no history would make them, but of every combination."""
    rows = [
        {
            "lead": str(UUID(int=draw.getrandbits(128))),
            "captured_at": draw.choice((None, f"2024-05-{1 + n % 28:02} 00:00Z")),
            "owner": draw.choice(NAMES),
            "team": draw.choice(NAMES),
            "pool": draw.choice((None, None, "公海")),
            "entered_by": draw.choice(NAMES),
            "shared_with": draw.sample(NAMES[1:], draw.randint(0, 2)),
            "level_rank": draw.randint(0, 3),
            "due_at": draw.choice((None, f"2024-05-{1 + n % 5:02} 00:00Z")),
        }
        for n in range(number)
    ]
    rows = [row | {"pool": None} if row["owner"] else row for row in rows]
    store(conn, "SELECT jsonb_array_elements(%s) AS r", Jsonb(rows))
    return rows


MANY = """
SELECT jsonb_build_object('lead', gen_random_uuid(), 'captured_at', now() - n * interval '1 min',
  'owner', CASE WHEN n %% 3 > 0 THEN 'p' || n %% 50 END, 'team', 't' || n %% 50 %% 5,
  'entered_by', 'p' || n %% 7, 'level_rank', CASE WHEN n / 50 %% 2 = 0 THEN 0 ELSE 2 END,
  'due_at', CASE WHEN n %% 4 > 0 THEN now() + (n * 7919 %% 5000) * interval '1 min' END,
  'shared_with', CASE WHEN n %% 500 = 0 THEN '["p1"]'::jsonb ELSE '[]'::jsonb END) AS r
FROM generate_series(1, 5000) n"""
TEAM = frozenset(f"p{n}" for n in range(0, 50, 5))


SCOPES = {
    "sales": Scope("p1", owners=frozenset({"p1"})),
    "supervisor": Scope("p0", owners=TEAM, teams=frozenset({"t0"}), unowned=True),
    "marketing": Scope("market", unowned=True),
    "admin": EVERYTHING,
}


def test_a_page_reads_about_what_it_shows(dsn: str) -> None:
    """However many leads there are in the scope: every way into it has an index in list order."""
    with connect(dsn) as conn:
        ensure_live(conn, PROJECTIONS["leads"])
        store(conn, MANY)
        schema = live_builds(conn)["leads"].schema
        conn.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, "leads")))
        for role, scope in SCOPES.items():
            for sort in lead_list.SORTS:
                with conn.transaction():
                    before = touched(conn)
                    _, rows = lead_list.leads(conn, {}, scope, sort=sort, limit=5)
                    assert len(rows) == 5
                    assert touched(conn) - before < 600, (role, sort)


def touched(conn: Connection) -> int:
    """How many rows of leads this transaction has fetched."""
    row = conn.execute(
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
        " WHERE relname = 'leads'"
    ).fetchone()
    assert row
    return int(row[0])
