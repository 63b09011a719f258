"""People, teams and lists over HTTP: what commands on them do, and who may."""

import json
import re
from typing import Any

import anyio
import psycopg
import pytest

from adapters.directory import carry_out
from adapters.postgres.register import FRESH_SECONDS
from adapters.tokens import issue
from commands.company.people import ChangePerson, DeactivatePerson
from commands.company.wiring import Subject
from tests.integration.api_client import Api, problem

pytestmark = pytest.mark.anyio

WANG = {"name": "王芳", "role": "sales", "team": "华东一组", "email": "w@a.cn"}


async def done(api: Api, path: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The subject after a command that is carried out."""
    answer = await api.post(path, body, **options)
    assert answer.status_code in (200, 201), answer.text
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
    assert int(answer.headers["leadlog-position"]) > 0
    found: dict[str, Any] = answer.json()
    return found


async def names(api: Api, path: str, **params: Any) -> list[str]:
    answer = await api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


def token_of(api: Api, person: str, role: str) -> dict[str, str]:
    """Headers with a token of a person, made while they had this role."""
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        token = issue(conn, person, role, "test")
    return {"Authorization": f"Bearer {token}"}


async def test_a_person_is_added_and_read_back(api: Api) -> None:
    """R5: the team comes into being with its first member."""
    answer = await api.post("/v1/users", WANG)
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/users/%E7%8E%8B%E8%8A%B3"
    read = await api.get(answer.headers["location"])
    assert read.json() == answer.json()
    assert read.headers["etag"] == answer.headers["etag"] == '"1"'
    assert (read.json()["role"], read.json()["active"]) == ("sales", True)
    assert await names(api, "/v1/teams") == ["华东一组"]
    again = await api.post("/v1/users", WANG)
    assert again.json() == answer.json()
    problem(await api.post("/v1/users", WANG | {"role": "admin"}), 422, "name-taken")
    problem(await api.post("/v1/users", WANG | {"name": "李雷", "role": "x"}), 422, "unknown-role")
    problem(await api.get("/v1/users/nobody"), 404, "not-found")
    problem(await api.get("/v1/teams/none"), 404, "not-found")


async def test_a_change_says_what_changes_and_null_takes_away(api: Api) -> None:
    """R43, R34."""
    await done(api, "/v1/users", WANG)
    coverage = {"regions": ["华东"], "industries": ["教育"]}
    body = {"coverage": coverage, "weight": 0.5, "capacity": 30, "team": "华南一组"}
    person = await done(api, "/v1/users/王芳:change", body)
    assert person["coverage"] == coverage | {"customer_types": []}
    assert (person["weight"], person["capacity"], person["team"]) == (0.5, 30, "华南一组")
    assert (person["role"], person["email"]) == ("sales", "w@a.cn"), "the rest stays"
    less = {"coverage": None, "weight": None, "capacity": None, "team": None, "email": None}
    person = await done(api, "/v1/users/王芳:change", less)
    assert person["coverage"] == {"regions": [], "industries": [], "customer_types": []}
    assert (person["weight"], person["capacity"]) == (1.0, None)
    assert (person["team"], person["email"]) == (None, None)
    assert await names(api, "/v1/teams") == ["华东一组", "华南一组"]
    for wrong, code in (({"weight": 0}, "invalid-workload"), ({"role": "x"}, "unknown-role")):
        problem(await api.post("/v1/users/王芳:change", wrong), 422, code)
    problem(await api.post("/v1/users/nobody:change", {"weight": 2}), 404, "no-such-person")


async def test_commands_are_repeatable_and_conditional(api: Api) -> None:
    """P2, as with leads."""
    key = {"Idempotency-Key": "k1"}
    first = await api.post("/v1/users", WANG, headers=key)
    await done(api, "/v1/users/王芳:change", {"capacity": 5})
    again = await api.post("/v1/users", WANG, headers=key)
    assert again.json() == first.json(), "the answer of then"
    reused = await api.post("/v1/users", WANG | {"email": "x@a.cn"}, headers=key)
    problem(reused, 422, "idempotency-key-reused")
    key = {"Idempotency-Key": "k2"}
    await done(api, "/v1/users/王芳:change", {}, headers=key)
    other = await api.post("/v1/users/王芳:change", {"team": None}, headers=key)
    problem(other, 422, "idempotency-key-reused")  # null is not the same as nothing
    stale = {"If-Match": '"1"'}
    answer = await api.post("/v1/users/王芳:change", {"capacity": 6}, headers=stale)
    problem(answer, 412, "version-mismatch")


async def test_a_team_is_led_by_an_active_supervisor(api: Api) -> None:
    """R115."""
    await done(api, "/v1/users", WANG)
    await done(api, "/v1/users", {"name": "李雷", "role": "supervisor"})
    wrong = await api.post("/v1/teams", {"name": "华北", "supervisor": "王芳"})
    assert problem(wrong, 422, "not-a-supervisor")["errors"][0]["pointer"] == "#/supervisor"
    unknown = await api.post("/v1/teams", {"name": "华北", "supervisor": "nobody"})
    problem(unknown, 422, "not-active")
    team = await done(api, "/v1/teams", {"name": "华北", "supervisor": "李雷"})
    assert team["supervisor"] == "李雷"
    team = await done(api, "/v1/teams/华东一组:set-supervisor", {"supervisor": "李雷"})
    assert (await api.get("/v1/teams/华东一组")).json() == team
    await api.project()
    for verb, body in (("change", {"role": "sales"}), ("deactivate", {})):
        problem(await api.post(f"/v1/users/李雷:{verb}", body), 422, "leads-a-team")
    for name in ("华东一组", "华北"):
        await done(api, f"/v1/teams/{name}:set-supervisor", {"supervisor": None})
    await api.project()
    await done(api, "/v1/users/李雷:deactivate", {})
    answer = await api.post("/v1/teams/华北:set-supervisor", {"supervisor": "李雷"})
    problem(answer, 422, "not-active")
    answer = await api.post("/v1/teams/none:set-supervisor", {"supervisor": None})
    problem(answer, 404, "no-such-team")


async def test_nobody_leaves_while_they_own_open_leads(api: Api) -> None:
    """R102, R103: until the leads are handed over, won or lost."""
    for name in ("王芳", "李雷"):
        await done(api, "/v1/users", WANG | {"name": name})
    mine = [await api.lead(owner="王芳") for _ in range(2)]
    await api.project()
    refused = problem(await api.post("/v1/users/王芳:deactivate", {}), 422, "leads-remain")
    assert "2 open leads" in refused["detail"]
    assert refused["errors"][0]["pointer"] == "#/hand_over"
    await api.post(f"/v1/leads/{mine[0]['id']}:invalidate", {"reason": "联系方式错误"})
    await done(api, f"/v1/leads/{mine[1]['id']}:assign", {"owner": "李雷"})
    await api.project()
    person = await done(api, "/v1/users/王芳:deactivate", {"reason": "离职"})
    assert not person["active"]
    assert await names(api, "/v1/users", active="false") == ["王芳"]


async def test_a_leaver_s_leads_go_to_whom_the_command_says(api: Api) -> None:
    """R102, R103: with the read models following, as a worker does it."""
    for name in ("王芳", "李雷"):
        await done(api, "/v1/users", WANG | {"name": name})
    lead = await api.lead(owner="王芳")
    wrong = await api.post("/v1/users/王芳:deactivate", {"hand_over": "nobody"})
    assert problem(wrong, 422, "unknown-person")["errors"][0]["pointer"] == "#/hand_over"
    await api.project()
    stale = await api.post(
        "/v1/users/王芳:deactivate", {"hand_over": "by-rule"}, headers={"If-Match": '"7"'}
    )
    problem(stale, 412, "version-mismatch")
    assert (await api.get(f"/v1/leads/{lead['id']}")).json()["owner"] == "王芳", "nothing moved"
    async with anyio.create_task_group() as worker:
        worker.start_soon(_follow, api)
        person = await done(api, "/v1/users/王芳:deactivate", {"hand_over": "by-rule"})
        worker.cancel_scope.cancel()
    assert not person["active"]
    assert (await api.get(f"/v1/leads/{lead['id']}")).json()["owner"] == "李雷"


async def _follow(api: Api) -> None:
    while True:
        await api.project()
        await anyio.sleep(0.05)


async def test_a_leaver_is_out_at_once_and_tokens_do_not_come_back(api: Api) -> None:
    """R113: the token ends with the person's time in the company, within a second elsewhere."""
    await done(api, "/v1/users", WANG)
    mine = token_of(api, "王芳", "sales")
    assert (await api.get("/v1/leads", headers=mine)).status_code == 200
    await api.project()
    await done(api, "/v1/users/王芳:deactivate", {})
    problem(await api.get("/v1/leads", headers=mine), 401, "unauthorised")
    await done(api, "/v1/users/王芳:reactivate", {})
    problem(await api.get("/v1/leads", headers=mine), 401, "unauthorised")


async def test_a_repeated_leave_does_not_lock_out_who_is_back(api: Api) -> None:
    """P2: it is answered again and has no effect, on tokens neither."""
    await done(api, "/v1/users", WANG)
    await api.project()
    keyed = {"headers": {"Idempotency-Key": "1"}}
    first = await done(api, "/v1/users/王芳:deactivate", {}, **keyed)
    await done(api, "/v1/users/王芳:reactivate", {})
    mine = token_of(api, "王芳", "sales")
    assert await done(api, "/v1/users/王芳:deactivate", {}, **keyed) == first
    assert (await api.get("/v1/leads", headers=mine)).status_code == 200


async def test_who_was_deactivated_elsewhere_is_out_within_a_second(api: Api) -> None:
    """R113: though a token that was just seen is trusted for longer than that."""
    await done(api, "/v1/users", WANG)
    mine = token_of(api, "王芳", "sales")
    assert (await api.get("/v1/leads", headers=mine)).status_code == 200
    left = DeactivatePerson(reason="离职")
    await anyio.to_thread.run_sync(carry_out, api.dsn, left, Subject("王芳"))
    await anyio.sleep(FRESH_SECONDS)
    problem(await api.get("/v1/leads", headers=mine), 401, "unauthorised")


async def test_a_change_of_role_counts_within_a_second_everywhere(api: Api) -> None:
    """R114-R116: the directory says what a token may do, not the day it was made."""
    await done(api, "/v1/users", WANG)
    mine = token_of(api, "王芳", "sales")
    problem(await api.post("/v1/users", WANG, headers=mine), 403, "forbidden")
    promoted = ChangePerson(role="admin")
    await anyio.to_thread.run_sync(carry_out, api.dsn, promoted, Subject("王芳"))
    await anyio.sleep(FRESH_SECONDS)
    await done(api, "/v1/teams", {"name": "x"}, headers=mine)


async def test_a_supervisor_notes_absences_of_the_own_team_only(api: Api) -> None:
    """A13."""
    await done(api, "/v1/users", {"name": "李雷", "role": "supervisor"})
    await done(api, "/v1/users", WANG)
    await done(api, "/v1/users", {"name": "韩梅", "role": "sales", "team": "华南一组"})
    await done(api, "/v1/teams/华东一组:set-supervisor", {"supervisor": "李雷"})
    mine = token_of(api, "李雷", "supervisor")
    dates = {"since": "2024-05-06", "until": "2024-05-10"}
    noted = await done(api, "/v1/users/王芳:note-absence", dates | {"reason": "年假"}, headers=mine)
    assert noted["absences"] == [dates]
    other = await api.post("/v1/users/韩梅:note-absence", dates, headers=mine)
    problem(other, 403, "forbidden")
    problem(await api.post("/v1/users/王芳:change", {}, headers=mine), 403, "forbidden")
    assert (await done(api, "/v1/users/韩梅:note-absence", dates))["absences"] == [dates]
    back = await done(api, "/v1/users/王芳:cancel-absence", dates, headers=mine)
    assert back["absences"] == []
    wrong = {"since": "2024-05-10", "until": "2024-05-06"}
    problem(await api.post("/v1/users/王芳:note-absence", wrong), 422, "invalid-absence")


async def test_lists_offer_what_is_built_in_and_added(api: Api) -> None:
    """R20, R21: with Chinese and English names."""
    assert "官网注册" in await names(api, "/v1/sources")
    body = {"name": "短视频/直播", "english": "short video"}
    entry = await done(api, "/v1/sources", body)
    assert (entry["kind"], entry["active"], entry["version"]) == ("source", True, 1)
    assert (await done(api, "/v1/sources/短视频/直播:rename", {"english": "video"}))["english"] == (
        "video"
    )
    assert not (await done(api, "/v1/sources/官网注册:retire", {}))["active"]
    offered = await names(api, "/v1/sources", active="true")
    assert "短视频/直播" in offered
    assert "官网注册" not in offered
    assert "官网注册" in await names(api, "/v1/sources")
    assert (await done(api, "/v1/sources", {"name": "官网注册"}))["english"] == "website"
    problem(await api.post("/v1/regions/nowhere:retire", {}), 404, "no-such-entry")
    for path, known in (
        ("industries", "制造业"),
        ("regions", "华东"),
        ("segments", "决策层"),
    ):
        assert known in await names(api, f"/v1/{path}")


async def test_people_come_in_pages(api: Api) -> None:
    for name in "abcde":
        await done(api, "/v1/users", {"name": name, "role": "sales"})
    first = (await api.get("/v1/users", params={"limit": 3})).json()
    assert [item["name"] for item in first["items"]] == ["a", "b", "c"]
    rest = await names(api, "/v1/users", limit=3, cursor=first["next"])
    assert rest == ["d", "e"]
    problem(await api.get("/v1/users", params={"min_position": 10_000_000}), 503, "unavailable")


async def test_the_description_is_whole(api: Api) -> None:
    """Every reference in OpenAPI leads somewhere, every part of a path is a parameter."""
    text = (await api.get("/openapi.json", role=None)).text
    document = json.loads(text)
    schemas = document["components"]["schemas"]
    named = set(re.findall(r'"\$ref":"#/components/schemas/([^"]+)"', text))
    assert {"Person", "Coverage", "PersonCoverage", "PolicyVersion"} <= named
    assert named <= schemas.keys()
    assert "#/$defs/" not in text
    for path, operations in document["paths"].items():
        for operation in operations.values():
            parts = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
            assert parts == set(re.findall(r"{(\w+)}", path)), path


async def test_a_role_without_leads_is_not_for_who_owns_some(api: Api) -> None:
    """R102: the same as for leaving; once they are handed over, it may be."""
    for name in ("王芳", "李雷"):
        await done(api, "/v1/users", WANG | {"name": name})
    lead = await api.lead(owner="王芳")
    await api.project()
    refused = await api.post("/v1/users/王芳:change", {"role": "analyst"})
    body = problem(refused, 422, "leads-remain")
    assert "1 open leads" in body["detail"]
    assert body["errors"][0]["pointer"] == "#/role"
    await done(api, "/v1/users/王芳:change", {"role": "supervisor"})  # who may own leads
    await api.post(f"/v1/leads/{lead['id']}:hand-over", {"to": "李雷"})
    await api.project()
    assert (await done(api, "/v1/users/王芳:change", {"role": "analyst"}))["role"] == "analyst"


async def test_the_last_active_administrator_stays(api: Api) -> None:
    """R5, R113: otherwise nobody could let anybody in again."""
    admin = "李雷"
    await done(api, "/v1/users", {"name": admin, "role": "admin"})
    await api.project()
    for verb, body in (
        ("change", {"role": "sales"}),
        ("deactivate", {}),
        ("deactivate", {"hand_over": "by-rule"}),
    ):
        problem(await api.post(f"/v1/users/{admin}:{verb}", body), 422, "last-administrator")
    await done(api, f"/v1/users/{admin}:change", {"role": "admin", "email": "a@a.cn"})
    await done(api, "/v1/users", WANG | {"role": "admin"})
    await api.project()
    assert not (await done(api, "/v1/users/王芳:deactivate", {}))["active"]
    await api.project()
    problem(await api.post(f"/v1/users/{admin}:deactivate", {}), 422, "last-administrator")


async def test_two_administrators_who_demote_each_other_do_not_both_succeed(api: Api) -> None:
    """R5: each is the last but one as far as they know; the log knows better."""
    both = ("韩梅", "赵敏")
    for name in both:
        await done(api, "/v1/users", {"name": name, "role": "admin"})
    for _ in range(5):
        answers: list[int] = []

        async def demote(name: str, answers: list[int] = answers) -> None:
            answer = await api.post(f"/v1/users/{name}:change", {"role": "sales"})
            answers.append(answer.status_code)

        async with anyio.create_task_group() as group:
            for name in both:
                group.start_soon(demote, name)
        assert sorted(answers) in ([200, 422], [200, 503])
        assert len(await names(api, "/v1/users", role="admin", active="true")) == 1
        for name in both:
            await done(api, f"/v1/users/{name}:change", {"role": "admin"})
