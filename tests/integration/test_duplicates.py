"""Leads that are one: queue, merge, unmerge, and figures that lose nothing (R2, A1)."""

from typing import Any

import anyio
import pytest

from tests.integration.api_client import CONTACT, CUSTOMER, Api, problem

pytestmark = pytest.mark.anyio
REPORTS = (
    "conversion?dimension=source",
    "conversion?dimension=owner&attribution=all",
    "cycle-time",
    "wins",
    "response-time",
    "response-time?since=assignment&dimension=owner",
    "activity",
    "activity?dimension=by",
    "funnel",
    "stage-duration",
    "conversions",
)


async def figures(api: Api) -> dict[str, Any]:
    """Every report, without the position that it reflects."""
    await api.project()
    answers = {name: (await api.get(f"/v1/reports/{name}")).json() for name in REPORTS}
    for answer in answers.values():
        del answer["position"]
    return answers


async def pair(api: Api) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two leads of one customer, each with an owner, the first with two contacts, one answered."""
    one = await api.lead(owner="王芳", source="展会咨询")
    path = f"/v1/leads/{one['id']}"
    await api.post(path + "/follow-ups", CONTACT | {"outcome": "no_answer", "by": "赵敏"})
    await api.post(path + "/follow-ups", CONTACT | {"by": "赵敏"})
    other = await api.lead(owner="李雷", phone="+86 139 1234 5678")
    await api.post(f"/v1/leads/{other['id']}/follow-ups", CONTACT | {"by": "李雷"})
    await api.project()
    return one, other


async def act(api: Api, lead: dict[str, Any], verb: str, **body: Any) -> dict[str, Any]:
    answer = await api.post(f"/v1/leads/{lead['id']}:{verb}", body)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def queue(api: Api, query: str = "") -> list[tuple[str, str, bool]]:
    await api.project()
    items = (await api.get(f"/v1/duplicates{query}")).json()["items"]
    return [(item["lead"]["code"], item["other"]["code"], item["certain"]) for item in items]


async def test_merged_and_unmerged_every_figure_is_what_it_was(api: Api) -> None:
    """A1: byte by byte, after the way there and back."""
    one, other = await pair(api)
    before = await figures(api)
    await act(api, one, "merge", into=other["code"])
    assert await figures(api) != before
    await act(api, one, "unmerge")
    assert await figures(api) == before
    await act(api, other, "merge", into=one["id"])
    await act(api, other, "unmerge")
    assert await figures(api) == before


async def test_a_merged_lead_counts_under_its_survivor(api: Api) -> None:
    """A1, A21: in no denominator, with its contacts, its first answer and its owners."""
    one, other = await pair(api)
    before = await figures(api)
    await act(api, one, "merge", into=other["code"])
    after = await figures(api)
    total = after["conversion?dimension=source"]["total"]
    assert (total["leads"], total["merged"]) == (1, 1)
    activity = after["activity"]["total"]
    assert activity == before["activity"]["total"] | {"leads": 1}
    assert after["activity?dimension=by"]["rows"] == before["activity?dimension=by"]["rows"]
    response = after["response-time"]["total"]
    assert response["n"] == 1
    assert response["hours"]["min"] < before["response-time"]["total"]["hours"]["min"]
    owners = after["conversion?dimension=owner&attribution=all"]["rows"]
    assert [(row["bucket"], row["leads"], row["merged"]) for row in owners] == [
        ("李雷", 1, 0),
        ("王芳", 1, 1),
    ]
    funnel = {row["stage"]: row["leads"] for row in after["funnel"]["rows"]}
    assert funnel == {"待分配": 1, "待跟进": 1, "已联系": 1}


async def test_evidence_equals_the_rows_of_merged_leads(api: Api) -> None:
    """Interface.md section 5: counts equal the row, whatever was merged."""
    one, other = await pair(api)
    await act(api, one, "merge", into=other["code"])
    await api.project()
    path = "/v1/reports/activity/rows/all/evidence"
    items = (await api.get(path)).json()["rows"]
    assert [item["lead"] for item in items] == [other["id"]] * 3
    items = (await api.get("/v1/reports/response-time/rows/all/evidence")).json()["rows"]
    assert [item["lead"] for item in items] == [other["id"]]
    first = (await api.get(f"/v1/leads/{one['id']}/follow-ups")).json()["items"]
    assert items[0]["response_position"] == next(f["position"] for f in first if f["connected"])


async def test_the_survivor_is_shown_with_what_was_merged_into_it(api: Api) -> None:
    """A1: over several steps; the merged lead says where to work."""
    one, other = await pair(api)
    third = await api.lead(owner="李雷")
    merged = await act(api, one, "merge", into=other["code"])
    assert (merged["disposition"], merged["merged_into"]) == (
        "merged",
        {"id": other["id"], "code": other["code"]},
    )
    await act(api, other, "merge", into=third["id"])
    await api.project()
    shown = (await api.get(f"/v1/leads/{third['id']}")).json()
    assert [m["code"] for m in shown["merged"]] == [one["code"], other["code"]]
    contacts = (await api.get(f"/v1/leads/{third['id']}/follow-ups")).json()["items"]
    assert [c["lead"] for c in contacts] == [one["id"], one["id"], other["id"]]
    refused = await api.post(f"/v1/leads/{one['id']}/follow-ups", CONTACT)
    assert other["code"] not in problem(refused, 422, "lead-merged")["detail"]
    counted = (await figures(api))["activity"]["total"]
    assert (counted["follow_ups"], counted["leads"]) == (3, 1)
    items = (await api.get("/v1/leads")).json()["items"]
    assert {i["code"]: i["disposition"] for i in items} == {
        one["code"]: "merged",
        other["code"]: "merged",
        third["code"]: "open",
    }


async def test_what_cannot_be_merged_is_refused(api: Api) -> None:
    """A1: with what to do instead."""
    one, other = await pair(api)
    third = await api.lead()
    await api.project()
    path = f"/v1/leads/{one['id']}:merge"
    problem(await api.post(path, {"into": one["code"]}), 422, "merge-with-itself")
    problem(await api.post(path, {"into": "XLSH19990101001"}), 404, "not-found")
    await act(api, other, "merge", into=third["code"])
    found = problem(await api.post(path, {"into": other["id"]}), 422, "lead-merged")
    assert "merge into that one" in found["detail"] and third["code"] not in found["detail"]
    await act(api, one, "convert")
    found = problem(await api.post(path, {"into": third["code"]}), 422, "lead-converted")
    assert f"merge {third['code']} into {one['code']}" in found["detail"]
    problem(await api.post(path, {"into": third["code"]}, role="sales"), 403, "forbidden")


async def test_the_queue_holds_a_pair_until_it_is_decided(api: Api) -> None:
    """R2, A1: oldest first, masked, each pair once; merged or dismissed it is gone."""
    one, other = await pair(api)
    similar = await api.lead(phone="010-65551234", email="x@y.cn")
    certain, possible = (other["code"], one["code"], True), (similar["code"], one["code"], False)
    second = (similar["code"], other["code"], False)
    assert await queue(api) == [certain, possible, second]
    assert await queue(api, "?certain=false") == [possible, second]
    page = (await api.get("/v1/duplicates?limit=1")).json()
    rest = (await api.get(f"/v1/duplicates?cursor={page['next']}")).json()
    assert [i["lead"]["code"] for i in page["items"] + rest["items"]] == [
        other["code"],
        similar["code"],
        similar["code"],
    ]
    assert page["items"][0]["by"] == ["phone", "email", "customer"]
    assert page["items"][0]["other"]["phone"] == "139****5678"
    assert page["items"][0]["other"]["captured_at"].endswith("+08:00")

    await act(api, similar, "dismiss-duplicate", other=one["code"], reason="同名")
    assert await queue(api) == [certain, second]
    await act(api, other, "merge", into=one["code"])
    assert await queue(api) == [(similar["code"], one["code"], False)], "the survivor's question"
    await act(api, other, "unmerge")
    assert await queue(api) == [certain, second]


async def test_a_pair_is_dismissed_from_either_side(api: Api) -> None:
    """A1: the suspicion stands on the newer lead; who looks at the older one decides as well."""
    one, other = await pair(api)
    assert await queue(api) == [(other["code"], one["code"], True)]
    first = await act(api, one, "dismiss-duplicate", other=other["code"], reason="两家公司同名")
    assert await queue(api) == []
    again = await act(api, one, "dismiss-duplicate", other=other["id"])
    assert again["version"] == first["version"]


async def test_two_merges_at_once_never_make_a_ring(api: Api) -> None:
    """A1: each lead into the other, in the same instant: one of them is refused."""
    one, other = await api.lead(), await api.lead()
    answers = []

    async def merge(lead: dict[str, Any], into: dict[str, Any]) -> None:
        answers.append(await api.post(f"/v1/leads/{lead['id']}:merge", {"into": into["id"]}))

    async with anyio.create_task_group() as group:
        group.start_soon(merge, one, other)
        group.start_soon(merge, other, one)
    assert sorted(answer.status_code for answer in answers) == [200, 422]


async def test_a_repeated_merge_changes_nothing(api: Api) -> None:
    """P2: by UUID or by code, it is the same command."""
    one, other = await pair(api)
    first = await act(api, one, "merge", into=other["code"])
    assert (await act(api, one, "merge", into=other["id"]))["version"] == first["version"]
    path, once = f"/v1/leads/{one['id']}:unmerge", {"Idempotency-Key": "u"}
    answers = [await api.post(path, {}, headers=once) for _ in range(2)]
    assert answers[0].content == answers[1].content


async def test_customers_named_alike_are_not_merged_by_themselves(api: Api) -> None:
    """A1: same company name only is possible, for a person to decide."""
    await api.lead()
    lead = await api.lead(phone="010-65551234", email=None, customer="A科技")
    assert [d["certain"] for d in lead["duplicates"]] == [False]
    assert lead["disposition"] == "open" and CUSTOMER["customer"] != lead["customer"]
