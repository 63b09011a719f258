"""Who is let in, and to what: every route of the application with every role (P8)."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Route

from aggregates.directory.register import ROLES
from api.access import ALLOWED, require
from api.command_route import CommandRoute
from api.directory import LISTS
from api.problems import Problem
from commands.caller import Principal
from tests.integration.api_client import CONTACT, CUSTOMER, Api, problem, running

pytestmark = pytest.mark.anyio

BODIES = {
    "lead.capture": CUSTOMER,
    "lead.complete-info": {"region": "华东"},
    "lead.label": {"level": "high"},
    "lead.merge": {"into": str(UUID(int=0))},
    "lead.dismiss-duplicate": {"other": str(UUID(int=0))},
    "lead.assign": {"owner": "王芳"},
    "lead.hand-over": {"to": "李雷"},
    "lead.release": {},
    "lead.claim": {},
    "lead.reveal": {"field": "phone", "purpose": "首次电话联系"},
    "lead.erase": {"reason": "客户要求删除个人信息"},
    "directory.hand-over": {"to": "李雷"},
    "tokens.create": {"name": "laptop"},
    "tokens.revoke": {"name": "another"},
    "notifications.dead": {"channel": "email"},
    "webhooks.change": {"url": "https://127.0.0.1/"},
    "lead.advance": {"stage": "方案提交"},
    "lead.follow-up": CONTACT,
    "lead.late-reason": {"reason": "出差"},
    "lead.invalidate": {"reason": "空号"},
    "lead.reopen": {},
    "lead.convert": {},
    "lead.reverse-conversion": {"reason": "合同撤销"},
}
READS = {
    "/v1/session": "session.own",
    "/v1/users/{name}/tokens": "tokens.read",
    "/v1/reports": "report.read",
    "/v1/reviews": "review.read",
    "/v1/cleanup-proposals": "cleanup.read",
    "/v1/users": "directory.read",
    "/v1/teams": "directory.read",
    "/v1/policies": "policy.read",
    "/v1/calendars/days": "calendar.read",
    "/v1/calendars": "policy.read",
    **dict.fromkeys(LISTS.values(), "list.read"),
    "/v1/duplicates": "duplicates.read",
    "/v1/pools": "pool.read",
    "/v1/tasks": "task.read",
    "/v1/escalations": "escalation.read",
    "/v1/notifications/dead": "notifications.dead",
    "/v1/notifications": "notifications.read",
    "/v1/leads/{ref}/attachments/{attachment}": "attachment.read",
    "/v1/leads/{ref}/proof": "audit.read",
    "/v1/audit": "audit.read",
    "/v1/privacy/accesses": "privacy.accesses",
    "/v1/privacy/erasures": "privacy.erasures",
    "/v1/webhooks": "webhooks.read",
    "/v1/events": "lead.read",
    "/metrics": "metrics.read",
    "/v1/": "lead.read",
}
"""The action of a read by how its path begins."""
OTHERS = {"/v1/leads/{ref}/attachments": "lead.attach", "/v1/session": "session.open"}
"""Commands whose body is a file, or nothing."""
OWN = ("notifications.prefer", "tokens.read", "tokens.revoke")
"""What everybody but the administrators does for themselves alone."""
OUTSIDE = "/v1/intake/{key}"
"""Without a token, and with a key of its own: tests/integration/test_intake.py."""
PLACES = {
    "bucket": "all",
    "kind": "pause",
    "ref": "pause",
    **dict.fromkeys(("attachment", "review"), str(UUID(int=0))),
}


def _routes(api: Api, ref: str) -> list[tuple[str, str, str]]:
    """Method, address and action of everything that the application documents for people."""
    routes = (route for route in api.app.routes if isinstance(route, CommandRoute))
    commands = OTHERS | {route.path_format: route.name for route in routes}
    paths = api.app.openapi()["paths"]
    return [
        (
            method.upper(),
            _address(path, ref),
            commands[path] if method == "post" else _read(path),
        )
        for path, item in paths.items()
        for method in item
        if path.startswith(("/v1/", "/metrics")) and path != OUTSIDE
    ]


def _address(path: str, ref: str) -> str:
    places = PLACES | {"name": "conversion"}
    if path.startswith("/v1/leads"):
        places["ref"] = ref
    if path.startswith(("/v1/users", "/v1/teams")):
        places |= {"ref": "supervisor-person", "name": "supervisor-person"}
    return path.format_map(places)


def _read(path: str) -> str:
    return next(action for begin, action in READS.items() if path.startswith(begin))


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_do_what_the_table_allows_and_nothing_else(api: Api, role: str) -> None:
    lead = await api.lead()
    person = {"name": "supervisor-person", "role": "supervisor", "team": "east"}
    assert (await api.post("/v1/users", person)).status_code == 201
    await api.project()
    routes = _routes(api, lead["id"])
    assert {action for _, _, action in routes} == ALLOWED.keys()
    for method, url, action in routes:
        if action == "directory.change":  # a leaver's leads are counted in the read models
            await api.project()
        own = url.replace("supervisor-person", f"{role}-person")  # for themselves
        body = BODIES.get(action, {})
        if action in OWN and role != "admin":
            foreign = url.replace("supervisor-person", "somebody-else")
            answer = await api.call(method, foreign, role=role, json=body)
            problem(answer, 403, "forbidden")
        answer = await api.call(method, own if action in OWN else url, role=role, json=body)
        if role in ALLOWED[action]:
            assert answer.status_code in (200, 201, 204, 404, 422), (method, url, answer.text)
        else:
            problem(answer, 403, "forbidden")


@pytest.mark.parametrize("role", [*ROLES, "", "root"])
def test_an_action_that_the_table_does_not_name_is_allowed_to_nobody(role: str) -> None:
    with pytest.raises(Problem, match="may not do"):
        require(Principal("somebody", role), "lead.forge")


def _flat(routes: Iterable[Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """All methods and paths, of included routers too; a kind of route unknown here fails."""
    for route in routes:
        if router := getattr(route, "original_router", None):
            yield from _flat(router.routes, prefix + route.include_context.prefix)
        else:
            assert isinstance(route, Route | APIRoute), route
            yield from ((method, prefix + route.path_format) for method in route.methods or ())


async def test_the_matrix_has_every_route(api: Api) -> None:
    """P8: a route that OpenAPI does not list, or that has no action of its own, fails here."""
    listed = {(m.upper(), p) for p, item in api.app.openapi()["paths"].items() for m in item}
    there = {(method, path) for method, path in _flat(api.app.routes) if method != "HEAD"}
    assert there == listed | {("GET", "/openapi.json")}
    assert all(action in ALLOWED for _, _, action in _routes(api, "XLSH20240501001"))
    outside = {path for _, path in listed if not path.startswith("/v1/")}
    assert outside == {"/health/live", "/health/ready", "/metrics"}


async def test_without_a_valid_token_every_route_answers_401(dsn: str) -> None:
    wrong = ("Basic x", "Bearer leadlog_x")
    proofs = [{}, {"Cookie": "__Host-leadlog=x"}, *({"Authorization": one} for one in wrong)]
    async with running(dsn, login_failures=10_000) as api:
        for method, url, _ in _routes(api, "XLSH20240501001"):
            for headers in proofs:
                answer = await api.call(method, url, role=None, headers=headers)
                if (method, url) == ("DELETE", "/v1/session") and "Cookie" in headers:
                    assert answer.status_code == 204, "a browser may forget any cookie"
                    continue
                problem(answer, 401, "unauthorised")
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert answer.headers["x-content-type-options"] == "nosniff"
