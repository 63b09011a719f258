"""A lead keeps its team when its owner moves to another one, until it is assigned anew.

R115, A31.
"""

from typing import Any

import pytest

from tests.integration.api_client import Api, problem
from tests.integration.test_api_directory import token_of

pytestmark = pytest.mark.anyio


async def test_a_lead_keeps_its_team_until_it_is_assigned_anew(api: Api) -> None:
    """Both supervisors see it meanwhile: one answers for its team, the other for its owner."""
    for name, role, team in (
        ("沈国华", "supervisor", "华东"),
        ("曾丽华", "supervisor", "华南"),
        ("王芳", "sales", "华东"),
        ("李雷", "sales", "华东"),
    ):
        await api.post("/v1/users", {"name": name, "role": role, "team": team})
    for team, name in (("华东", "沈国华"), ("华南", "曾丽华")):
        await api.post(f"/v1/teams/{team}:set-supervisor", {"supervisor": name})
    lead = await api.lead(owner="王芳")
    assert lead["team"] == "华东"
    before, after = (token_of(api, name, "supervisor") for name in ("沈国华", "曾丽华"))
    await api.project()
    assert (await seen_by(api, before, lead), await seen_by(api, after, lead)) == (True, False)

    await api.post("/v1/users/王芳:change", {"team": "华南"})
    moved = (await api.get(f"/v1/leads/{lead['id']}")).json()
    assert (moved["team"], moved["version"]) == ("华东", lead["version"])
    assert (await seen_by(api, before, lead), await seen_by(api, after, lead)) == (True, True)

    again = await api.post(f"/v1/leads/{lead['id']}:assign", {"owner": "王芳"})
    assert again.json()["team"] == "华南", "the owner's own, if none is named"
    await api.project()
    assert (await seen_by(api, before, lead), await seen_by(api, after, lead)) == (False, True)

    other = await api.lead(customer="B", owner="王芳", team="华东")
    await api.post(f"/v1/leads/{other['id']}:hand-over", {"to": "李雷"})
    await api.project()
    assert (await seen_by(api, before, other), await seen_by(api, after, other)) == (True, False)


async def seen_by(api: Api, headers: dict[str, str], lead: dict[str, Any]) -> bool:
    """Whether a lead is there for a caller, in the read of it and in the list alike."""
    answer = await api.get(f"/v1/leads/{lead['id']}", headers=headers)
    listed = await api.get("/v1/leads", headers=headers)
    there = lead["id"] in {item["id"] for item in listed.json()["items"]}
    if not there:
        problem(answer, 404, "not-found")
    assert there == (answer.status_code == 200)
    return there
