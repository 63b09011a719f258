"""Who is let in, and to what: every route of the application with every role (P8)."""

import pytest

from aggregates.directory.register import ROLES
from api.access import ALLOWED, require
from api.leads import VERBS
from api.problems import Problem
from commands.caller import Principal
from tests.integration.api_client import CONTACT, CUSTOMER, Api, problem

pytestmark = pytest.mark.anyio

BODIES = {
    "lead.capture": CUSTOMER,
    "lead.assign": {"owner": "王芳"},
    "lead.advance": {"stage": "方案提交"},
    "lead.follow-up": CONTACT,
    "lead.invalidate": {"reason": "空号"},
    "lead.reopen": {},
    "lead.convert": {},
    "lead.reverse-conversion": {"reason": "合同撤销"},
}
READS = ("lead.read", "report.read")


def _routes(api: Api, ref: str) -> list[tuple[str, str, str]]:
    """Method, address and action of everything below /v1 that the application documents."""
    paths = api.app.openapi()["paths"]
    return [
        (method.upper(), _address(path, ref), _action(method, path))
        for path, item in paths.items()
        for method in item
        if path.startswith("/v1/")
    ]


def _address(path: str, ref: str) -> str:
    return path.replace("{ref}", ref).replace("{name}", "conversion").replace("{bucket}", "all")


def _action(method: str, path: str) -> str:
    if method == "get":
        return "report.read" if path.startswith("/v1/reports") else "lead.read"
    actions = {f"/v1/leads/{{ref}}{verb.path}": verb.action for verb in VERBS}
    return actions.get(path, "lead.capture")


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_do_what_the_table_allows_and_nothing_else(api: Api, role: str) -> None:
    lead = await api.lead()
    await api.project()
    routes = _routes(api, lead["id"])
    assert {action for _, _, action in routes} == ALLOWED.keys() == {*BODIES, *READS}
    for method, url, action in routes:
        answer = await api.call(method, url, role=role, json=BODIES.get(action))
        if role in ALLOWED[action]:
            assert answer.status_code in (200, 201, 422), (method, url, answer.text)
        else:
            problem(answer, 403, "forbidden")


@pytest.mark.parametrize("role", [*ROLES, "", "root"])
def test_an_action_that_the_table_does_not_name_is_allowed_to_nobody(role: str) -> None:
    with pytest.raises(Problem, match="may not do"):
        require(Principal("somebody", role), "lead.erase")


async def test_without_a_valid_token_every_route_answers_401(api: Api) -> None:
    for method, url, _ in _routes(api, "XLSH20240501001"):
        for headers in ({}, {"Authorization": "Basic x"}, {"Authorization": "Bearer leadlog_x"}):
            answer = await api.call(method, url, role=None, headers=headers)
            problem(answer, 401, "unauthorised")
            assert answer.headers["www-authenticate"].startswith("Bearer")
