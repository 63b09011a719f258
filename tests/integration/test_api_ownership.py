"""Owners, hand-overs and pools over HTTP: R7, R43, R102, R103, R114, A32."""

from typing import Any

import pytest

from tests.integration.api_client import CUSTOMER, PHONE, Api, problem

pytestmark = pytest.mark.anyio


async def added(api: Api, name: str, role: str = "sales", team: str | None = None) -> None:
    answer = await api.post("/v1/users", {"name": name, "role": role, "team": team})
    assert answer.status_code == 201, answer.text


@pytest.fixture
async def sales(api: Api) -> Api:
    """The person behind the sales token is in a team, with two colleagues."""
    await added(api, "sales-person", team="east")
    await added(api, "王芳", team="east")
    await added(api, "李雷", team="south")
    await added(api, "supervisor-person", "supervisor")
    return api


async def pooled(api: Api, **details: Any) -> dict[str, Any]:
    lead = await api.lead(**details)
    answer = await api.post(f"/v1/leads/{lead['id']}:release", {"reason": "idle"})
    assert answer.status_code == 200, answer.text
    await api.project()
    return lead


async def test_a_pool_shows_leads_without_contact_details(sales: Api) -> None:
    """A32, odoo #23776: not every unassigned lead, and nobody's telephone number."""
    await sales.lead(customer="nobody's")
    lead = await pooled(sales)
    body = (await sales.get("/v1/pools", role="sales")).json()
    assert [item["id"] for item in body["items"]] == [lead["id"]]
    assert body["pools"] == [{"name": "公海", "claims_per_day": 20, "owned_at_most": 200}]
    [item] = body["items"]
    assert (item["pool"], item["customer"]) == ("公海", CUSTOMER["customer"])
    assert not {"phone", "email", "contact", "contact_title"} & item.keys()
    assert PHONE not in str(body) and CUSTOMER["contact"] not in str(body)


async def test_a_pool_is_read_page_by_page_the_longest_there_first(sales: Api) -> None:
    leads = [(await pooled(sales, customer=f"客户{n}"))["id"] for n in range(5)]
    found, cursor = [], ""
    while cursor is not None:
        page = (await sales.get(f"/v1/pools?limit=2{cursor}", role="sales")).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next"] and f"&cursor={page['next']}"
    assert found == leads


async def test_a_claimed_lead_shows_itself_to_its_new_owner(sales: Api) -> None:
    lead = await pooled(sales)
    answer = await sales.post(f"/v1/leads/{lead['id']}:claim", {}, role="sales")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["owner"], body["team"], body["pool"]) == ("sales-person", "east", None)
    assert (body["contact"], body["phone"]) == (CUSTOMER["contact"], "139****5678")
    await sales.project()
    assert (await sales.get("/v1/pools", role="sales")).json()["items"] == []
    late = await sales.post(f"/v1/leads/{lead['id']}:claim", {}, role="supervisor")
    problem(late, 422, "not-in-pool")


async def test_pools_of_other_teams_are_not_there(sales: Api) -> None:
    """P8: what the caller may not see is 404."""
    rules = {"pools": [{"name": "south", "teams": ["south"]}, {"name": "公海"}]}
    answer = await sales.post("/v1/policies/pool/versions", {"document": rules})
    assert answer.status_code == 201, answer.text
    lead = await sales.lead()
    await sales.post(f"/v1/leads/{lead['id']}:release", {"pool": "south"})
    await sales.project()
    body = (await sales.get("/v1/pools", role="sales")).json()
    assert ([pool["name"] for pool in body["pools"]], body["items"]) == (["公海"], [])
    problem(await sales.get("/v1/pools?pool=south", role="sales"), 404, "not-found")
    claimed = await sales.post(f"/v1/leads/{lead['id']}:claim", {"pool": "south"}, role="sales")
    problem(claimed, 404, "not-found")
    everything = (await sales.get("/v1/pools")).json()
    assert [item["id"] for item in everything["items"]] == [lead["id"]]


async def test_what_an_administrator_sees_in_a_pool_they_may_claim(sales: Api) -> None:
    """A32: one rule says whom a pool is open to."""
    rules = {"pools": [{"name": "south", "teams": ["south"]}, {"name": "公海"}]}
    await sales.post("/v1/policies/pool/versions", {"document": rules})
    lead = await sales.lead()
    await sales.post(f"/v1/leads/{lead['id']}:release", {"pool": "south"})
    await added(sales, "admin-person", "admin")
    answer = await sales.post(f"/v1/leads/{lead['id']}:claim", {"pool": "south"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["owner"] == "admin-person"


async def test_an_unknown_owner_is_refused_with_a_hint(sales: Api) -> None:
    """R7."""
    lead = await sales.lead()
    answer = await sales.post(f"/v1/leads/{lead['id']}:assign", {"owner": "王方"})
    body = problem(answer, 422, "unknown-person")
    assert body["errors"][0]["pointer"] == "#/owner"
    assert "王芳" in body["detail"]


async def test_an_owner_named_at_capture_is_judged_like_any_other(sales: Api) -> None:
    """R7, R114: sales enter leads for themselves; a team that is not said is the owner's."""
    mine = await sales.post("/v1/leads", CUSTOMER | {"owner": "sales-person"}, role="sales")
    assert (mine.json()["owner"], mine.json()["team"]) == ("sales-person", "east")
    theirs = CUSTOMER | {"owner": "李雷"}
    problem(await sales.post("/v1/leads", theirs, role="sales"), 403, "forbidden")
    batch = await sales.post("/v1/leads:batch", {"leads": [theirs, CUSTOMER]}, role="sales")
    assert [result["status"] for result in batch.json()["results"]] == [403, 201]
    assert (await sales.post("/v1/leads", theirs, role="marketing")).json()["team"] == "south"
    unknown = await sales.post("/v1/leads", CUSTOMER | {"owner": "王方"})
    problem(unknown, 422, "unknown-person")


async def test_a_hand_over_by_rule_says_why(sales: Api) -> None:
    """R43, R102."""
    lead = await sales.lead()
    await sales.post(f"/v1/leads/{lead['id']}:assign", {"owner": "王芳"})
    await sales.project()
    answer = await sales.post(f"/v1/leads/{lead['id']}:hand-over", {"to": "by-rule"})
    body = answer.json()
    assert (body["owner"], body["team"]) == ("sales-person", "east")
    why = body["assignment"]
    assert [c["person"] for c in why["candidates"]] == ["sales-person", "李雷"]
    shown = (await sales.get(f"/v1/leads/{lead['id']}")).json()
    assert shown["assignment"] == why
    to_hand = await sales.post(f"/v1/leads/{lead['id']}:hand-over", {"to": "李雷"})
    assert to_hand.json()["assignment"] is None


async def test_a_leavers_leads_are_handed_over(sales: Api) -> None:
    """R102, R103: by a call of its own, and in the same breath as the leaving."""
    for n in range(4):
        lead = await sales.lead(customer=f"客户{n}")
        await sales.post(f"/v1/leads/{lead['id']}:assign", {"owner": "王芳"})
    await sales.project()
    answer = await sales.post("/v1/users/王芳:hand-over", {"to": "李雷", "reason": "离职"})
    assert answer.json() == {"person": "王芳", "handed_over": 4, "left": []}
    await sales.project()
    again = await sales.post("/v1/users/王芳:hand-over", {"to": "李雷"})
    assert again.json()["handed_over"] == 0
    left = await sales.post("/v1/users/李雷:deactivate", {"hand_over": "by-rule"})
    problem(left, 503, "unavailable")  # handed over, but without a worker nobody can count
    await sales.project()
    left = await sales.post("/v1/users/李雷:deactivate", {"hand_over": "by-rule"})
    assert left.status_code == 200, left.text
    owners = {i["owner"] for i in (await sales.get("/v1/leads")).json()["items"]}
    assert owners == {"王芳", "sales-person"}


@pytest.mark.parametrize("header", [{"Idempotency-Key": "1"}, {"If-Match": '"1"'}])
async def test_handing_all_leads_over_takes_no_condition(
    sales: Api, header: dict[str, str]
) -> None:
    """P2: many commands, which no key and no version could hold for; said so, not passed over."""
    lead = await sales.lead(owner="王芳")
    await sales.project()
    answer = await sales.post("/v1/users/王芳:hand-over", {"to": "李雷"}, headers=header)
    found = problem(answer, 400, "invalid-parameter")
    assert [error["parameter"] for error in found["errors"]] == [*header]
    assert (await sales.get(f"/v1/leads/{lead['id']}")).json()["owner"] == "王芳"
    described = sales.app.openapi()["paths"]["/v1/users/{ref}:hand-over"]["post"]
    assert [parameter["name"] for parameter in described["parameters"]] == ["ref"]


async def test_leads_that_nobody_is_free_for_are_named(sales: Api) -> None:
    """R103: how many moved, and which are left for which reason; leaving says so, too."""
    east, south = [
        await sales.lead(owner="王芳", region=region, customer=region)
        for region in ("华东", "华南")
    ]
    only = {"name": "east", "regions": ["华东"], "target": {"kind": "person", "name": "李雷"}}
    nobody = {"kind": "person", "name": "王芳"}
    rules = {"document": {"automatic": False, "rules": [only], "default": nobody}}
    answer = await sales.post("/v1/policies/assignment/versions", rules)
    assert answer.status_code == 201, answer.text
    await sales.project()
    answer = await sales.post("/v1/users/王芳:hand-over", {"to": "by-rule"})
    assert answer.status_code == 200, answer.text
    [left] = answer.json()["left"]
    assert (answer.json()["handed_over"], left["id"], left["code"]) == (
        1,
        south["id"],
        south["code"],
    )
    assert left["problem"]["type"] == "/problems/nobody-free"
    assert (await sales.get(f"/v1/leads/{east['id']}")).json()["owner"] == "李雷"
    await sales.project()
    leaving = await sales.post("/v1/users/王芳:deactivate", {"hand_over": "by-rule"})
    assert "1 are left" in problem(leaving, 422, "leads-remain")["detail"]


async def test_only_who_leads_people_hands_all_their_leads_over(sales: Api) -> None:
    """R115."""
    answer = await sales.post("/v1/users/王芳:hand-over", {"to": "李雷"}, role="sales")
    problem(answer, 403, "forbidden")
    answer = await sales.post("/v1/users/王芳:hand-over", {"to": "李雷"}, role="supervisor")
    problem(answer, 403, "forbidden")
