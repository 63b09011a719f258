"""Rules over HTTP: versions, which was in force when, bringing one into force."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from adapters.postgres.register import FRESH_SECONDS
from aggregates.policy.book import BUILT_IN, KINDS, as_document
from tests.integration.api_client import CONTACT, Api, problem
from tests.integration.program import Program

pytestmark = pytest.mark.anyio


async def in_force(api: Api, kind: str, **params: Any) -> dict[str, Any]:
    answer = await api.get(f"/v1/policies/{kind}", params=params)
    assert answer.status_code == 200, answer.text
    version: dict[str, Any] = answer.json()
    return version


async def activated(api: Api, kind: str, document: dict[str, Any]) -> dict[str, Any]:
    answer = await api.post(f"/v1/policies/{kind}/versions", {"document": document, "reason": "r"})
    assert answer.status_code == 201, answer.text
    version: dict[str, Any] = answer.json()
    return version


async def test_the_built_in_version_is_in_force_from_the_first_start(api: Api) -> None:
    listed = (await api.get("/v1/policies")).json()["items"]
    assert [item["kind"] for item in listed] == list(KINDS)
    for item in listed:
        built_in = BUILT_IN[item["kind"]]
        assert (item["version"], item["position"], item["activated_at"]) == (1, 0, None)
        assert (item["hash"], item["document"]) == (built_in.ref.hash, as_document(built_in.rules))


async def test_a_version_is_in_force_from_its_position_on(api: Api) -> None:
    """Which version was in force at any instant is a query."""
    second = await activated(api, "pause", {"max_days": 60})
    third = await activated(api, "pause", {"max_days": 30})
    assert (second["version"], third["version"]) == (2, 3)
    assert (third["document"], third["reason"]) == ({"max_days": 30}, "r")
    versions = (await api.get("/v1/policies/pause/versions")).json()["items"]
    assert [v["version"] for v in versions] == [1, 2, 3]
    assert versions[1:] == [second, third]
    assert await in_force(api, "pause") == third
    for at, expected in (
        (second["position"] - 1, 1),
        (second["position"], 2),
        (third["position"], 3),
    ):
        assert (await in_force(api, "pause", at_position=at))["version"] == expected
    moment = datetime.fromisoformat(second["activated_at"])
    for instant, expected in ((moment, 2), (moment - timedelta(microseconds=1), 1)):
        params = {"at": instant.isoformat()}
        assert (await in_force(api, "pause", **params))["version"] == expected
        listed = await api.get("/v1/policies/pause/versions", params=params)
        assert [v["version"] for v in listed.json()["items"]] == [expected]


async def test_what_is_in_force_already_is_no_new_version(api: Api) -> None:
    assert (await activated(api, "pause", {"max_days": 90}))["version"] == 1
    second = await activated(api, "pause", {"max_days": 60})
    assert await activated(api, "pause", {"max_days": 60}) == second


async def test_a_document_is_checked_before_it_comes_into_force(api: Api) -> None:
    """Every field at fault is named."""
    document = {"rules": [{"name": "a", "level": "hot", "nope": 1}], "more": 2}
    answer = await api.post("/v1/policies/labelling/versions", {"document": document})
    errors = problem(answer, 422, "invalid-policy")["errors"]
    assert [error["pointer"] for error in errors] == [
        "#/document/rules/0/level",
        "#/document/rules/0/nope",
        "#/document/more",
    ]
    answer = await api.post("/v1/policies/pause/versions", {"document": {"max_days": 0}})
    assert "max_days must be above 0" in problem(answer, 422, "invalid-policy")["detail"]
    assert (await in_force(api, "labelling"))["version"] == 1
    for path in ("/v1/policies/nope", "/v1/policies/nope/versions"):
        problem(await api.get(path), 404, "no-such-policy")
    answer = await api.post("/v1/policies/nope/versions", {"document": {}})
    problem(answer, 404, "no-such-policy")


async def test_the_working_calendar_has_an_address_of_its_own(api: Api) -> None:
    answer = await api.post("/v1/calendars", {"document": {"closed": ["2024-12-31"]}})
    assert answer.status_code == 201, answer.text
    assert answer.json() == await in_force(api, "calendar")
    assert len((await api.get("/v1/calendars")).json()["items"]) == 2


async def test_a_command_follows_the_version_in_force(api: Api) -> None:
    """R57: what is refused today may be allowed after an activation, at once in this process."""
    lead = await api.lead(owner="王芳")
    vague = CONTACT | {"content": "已沟通", "feedback": "", "next_step": ""}
    path = f"/v1/leads/{lead['id']}/follow-ups"
    del vague["next_step_due"]
    assert (await api.post(path, vague)).status_code == 422
    await activated(
        api,
        "follow-up",
        {"vague_phrases": [], "minimum_length": 1, "feedback_or_next_step": False},
    )
    assert (await api.post(path, vague)).status_code == 201


async def test_an_activation_by_another_process_is_followed_within_a_second(
    api: Api, tmp_path: Path
) -> None:
    """The register of a running service is at most a second old."""
    lead = await api.lead()
    file = tmp_path / "pipeline.toml"
    file.write_text("skipping = false\n")
    leadlog = Program(api.dsn)
    await anyio.to_thread.run_sync(leadlog, "policy", "activate", "pipeline", str(file))
    await anyio.sleep(FRESH_SECONDS)
    answer = await api.post(f"/v1/leads/{lead['id']}:advance", {"stage": "商务谈判"})
    problem(answer, 422, "stage-skipped")


async def fault(api: Api, kind: str, document: dict[str, Any]) -> tuple[str, str]:
    """Pointer and detail of the one fault of a document that is refused."""
    answer = await api.post(f"/v1/policies/{kind}/versions", {"document": document})
    body = problem(answer, 422, "invalid-policy")
    (error,) = body["errors"]
    return error["pointer"], body["detail"]


def rule(kind: str, name: str) -> dict[str, Any]:
    return {"rules": [{"name": "east", "target": {"kind": kind, "name": name}}]}


async def test_rules_name_people_teams_and_pools_that_are_there(api: Api) -> None:
    """R31, R34: a lead that goes to nobody's target is seen by nobody."""
    await api.post("/v1/users", {"name": "王芳", "role": "sales", "team": "华东一组"})
    await api.post("/v1/users", {"name": "韩梅", "role": "analyst"})
    await api.post("/v1/users", {"name": "李雷", "role": "sales"})
    await api.project()
    assert (await api.post("/v1/users/李雷:deactivate", {})).status_code == 200
    for target, hint in (
        (("person", "赵敏"), "add them first"),
        (("person", "韩梅"), "may own leads"),
        (("person", "李雷"), "active in sales"),
        (("team", "华西"), "name one of 华东一组"),
        (("supervisor", "华西"), "add it first"),
        (("pool", "华西池"), "name one of 公海"),
    ):
        pointer, detail = await fault(api, "assignment", rule(*target))
        assert pointer == "#/document/rules/0/target/name"
        assert target[1] in detail
        assert hint in detail
        default = {"default": {"kind": target[0], "name": target[1]}}
        assert (await fault(api, "assignment", default))[0] == "#/document/default/name"
    for target in (("person", "王芳"), ("team", "华东一组"), ("pool", "公海")):
        await activated(api, "assignment", rule(*target))


async def test_what_is_in_force_stays_so_whoever_has_left(api: Api) -> None:
    """R102: saying it again makes no version, hence meets no new refusal."""
    await api.post("/v1/users", {"name": "王芳", "role": "sales"})
    first = await activated(api, "assignment", rule("person", "王芳"))
    await api.project()
    assert (await api.post("/v1/users/王芳:deactivate", {})).status_code == 200
    assert await activated(api, "assignment", rule("person", "王芳")) == first


async def test_a_pool_in_use_is_not_dropped(api: Api) -> None:
    """A32: neither one that rules send leads to, nor one that holds leads."""
    two, one = {"pools": [{"name": "公海"}, {"name": "老池"}]}, {"pools": [{"name": "公海"}]}
    await api.project()
    await activated(api, "pool", two)
    lead = await api.lead(owner="王芳")
    await activated(api, "assignment", rule("pool", "老池"))
    await api.project()
    pointer, detail = await fault(api, "pool", one)
    assert pointer == "#/document/pools"
    assert "老池 is the target of the rule east" in detail
    await activated(api, "assignment", {})
    released = await api.post(f"/v1/leads/{lead['id']}:release", {"pool": "老池"})
    assert released.status_code == 200
    await api.project()
    assert "老池 still holds 1 open leads" in (await fault(api, "pool", one))[1]
    await api.post(f"/v1/leads/{lead['id']}:assign", {"owner": "王芳"})
    await api.project()
    assert (await activated(api, "pool", one))["version"] == 3


async def test_a_pool_is_open_to_teams_that_are_there(api: Api) -> None:
    """A32: one that is open to nobody hides what it holds."""
    document = {"pools": [{"name": "公海", "teams": ["华西"]}]}
    await api.project()
    pointer, detail = await fault(api, "pool", document)
    assert pointer == "#/document/pools/0/teams/0"
    assert "no team 华西" in detail
    await api.post("/v1/teams", {"name": "华西"})
    await api.project()
    await activated(api, "pool", document)
