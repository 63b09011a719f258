"""Lists that leads choose from suggest; what was retired, and a team that is not there, is refused.

R20, R21, R5.
"""

import pytest

from tests.integration.api_client import Api, problem
from tests.integration.test_intake import channel, submit

pytestmark = pytest.mark.anyio


async def retired(api: Api, path: str) -> None:
    assert (await api.post(f"{path}:retire", {})).status_code == 200


async def test_lists_say_whether_they_are_open(api: Api) -> None:
    for path, is_open in (
        ("/v1/sources", True),
        ("/v1/industries", True),
        ("/v1/regions", True),
        ("/v1/segments", False),
    ):
        assert (await api.get(path)).json()["open"] is is_open, path
    lead = await api.lead(source="电梯广告", industry="养蜂", region="月球", customer_type="x")
    assert (lead["source"], lead["industry"], lead["region"]) == ("电梯广告", "养蜂", "月球")


@pytest.mark.parametrize(
    ("field", "path", "value", "instead"),
    [
        ("source", "/v1/sources/展会咨询", "展会咨询", "转介绍"),
        ("industry", "/v1/industries/制造业", "制造业", "服务业"),
        ("region", "/v1/regions/华南", "华南", "华东"),
    ],
)
async def test_what_was_retired_is_not_entered_any_more(
    api: Api, field: str, path: str, value: str, instead: str
) -> None:
    """R20, R21: leads that have it keep it, also when it is said again."""
    said = {"customer": "旧客户", field: value}
    first = await api.post("/v1/leads", said, headers={"Idempotency-Key": "k"})
    old, new = first.json()["id"], (await api.lead())["id"]
    await retired(api, path)
    for where, body in (
        ("/v1/leads", said),
        (f"/v1/leads/{new}:complete-info", {field: value}),
    ):
        refused = problem(await api.post(where, body), 422, "retired-entry")
        assert refused["errors"][0]["pointer"] == f"#/{field}"
        assert value in refused["detail"]
        assert instead in refused["detail"], "a hint"
    again = await api.post(f"/v1/leads/{old}:complete-info", {field: value, "contact": "李经理"})
    assert (again.status_code, again.json()[field]) == (200, value)
    repeated = await api.post("/v1/leads", said, headers={"Idempotency-Key": "k"})
    assert repeated.status_code == 201, "an answer of then is given again"
    assert repeated.json()["id"] == old


async def test_a_form_says_what_it_always_said(api: Api) -> None:
    """R1: nobody loses a customer because a list was tidied up."""
    key = channel(api, source="官网注册")
    await retired(api, "/v1/sources/官网注册")
    assert (await submit(api, key)).status_code in (200, 201, 202)


async def test_a_team_is_one_of_the_directory_once_there_are_any(api: Api) -> None:
    """R5, A31: otherwise only administrators would see the lead."""
    lead = await api.lead(owner="王芳", team="随便")
    await api.post("/v1/teams", {"name": "华东一组"})
    for path, body in (
        ("/v1/leads", {"customer": "B", "owner": "王芳", "team": "华东组"}),
        (f"/v1/leads/{lead['id']}:assign", {"owner": "王芳", "team": "华东组"}),
    ):
        refused = problem(await api.post(path, body), 422, "unknown-team")
        assert refused["errors"][0]["pointer"] == "#/team"
        assert "did you mean 华东一组?" in refused["detail"]
    moved = await api.post(f"/v1/leads/{lead['id']}:assign", {"owner": "王芳", "team": "华东一组"})
    assert moved.json()["team"] == "华东一组"
