"""The company's rules over HTTP: their versions, which was in force when, another activation."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from aggregates.policy.activate import policy_id
from aggregates.policy.book import KINDS
from api import openapi
from api.command_route import Answer, Call, CommandRoute
from api.company_json import policy_json
from api.company_route import execute, shown
from api.problems import unavailable
from api.reading import Instant, Read, allow, answer
from api.service import Service
from commands.company.policies import ActivatePolicy, PolicyVersion, in_force, versions
from commands.company.wiring import Subject
from commands.policy_documents import known_kind

READ, ACTIVATE = "policy.read", "policy.activate"
VERSIONS, CALENDARS = "/v1/policies/{ref:ref}/versions", "/v1/calendars"


class When(Read):
    """Which moment is asked about; now, if nothing is given."""

    at: Instant | None = None
    """The version in force at this instant."""
    at_position: Annotated[int, Field(ge=0)] | None = None
    """The version in force at this position of the log."""

    @property
    def asked(self) -> bool:
        """Whether a moment is given."""
        return (self.at, self.at_position) != (None, None)


def routes(service: Service) -> Iterator[CommandRoute]:
    """The activation of any kind, and of the working calendar at an address of its own."""
    for path, kind in ((VERSIONS, None), (CALENDARS, "calendar")):
        documented = openapi.command_on(
            "PolicyVersion",
            ActivatePolicy,
            201,
            ref=None if kind else openapi.NAME,
            operation=f"ActivatePolicy-{kind}" if kind else None,
        )
        yield CommandRoute(
            service,
            path,
            ACTIVATE,
            ActivatePolicy,
            partial(activate, service, kind),
            **documented,
        )


async def activate(service: Service, kind: str | None, call: Call[Any]) -> Answer:
    """The version that the command brought into force, or that was in force already."""
    kind = kind or call.ref
    reply = await execute(service, call, Subject(kind))
    _, known = await _versions(service, kind)
    version = known[reply.state.ref.version - 1]
    return await shown(service, reply, policy_json(version, service.zone), 201)


def router(service: Service) -> APIRouter:
    """The reads."""
    routes = APIRouter(
        prefix="/v1",
        tags=["policies"],
        dependencies=[allow(service, READ)],
        responses=openapi.problems(404),
        default_response_class=Response,
    )

    @routes.get("/policies")
    async def list_policies(query: Annotated[Read, Query()]) -> Response:
        """The version in force of every kind of rules."""
        found = [await _known(service, kind, query) for kind in KINDS]
        position = min(position for position, _ in found)
        return _page(service, position, [in_force(known) for _, known in found])

    @routes.get("/policies/{kind}", responses=openapi.shape("PolicyVersion"))
    async def read_policy(kind: str, query: Annotated[When, Query()]) -> Response:
        """The version in force now, or at the moment asked about."""
        position, known = await _known(service, kind, query)
        version = in_force(known, at=query.at, position=query.at_position)
        return answer(policy_json(version, service.zone), position)

    @routes.get("/policies/{kind}/versions")
    async def list_versions(kind: str, query: Annotated[When, Query()]) -> Response:
        """Every version, the built-in one first; or the one in force at the moment asked about."""
        return await _listed(kind, query)

    @routes.get("/calendars")
    async def list_calendars(query: Annotated[When, Query()]) -> Response:
        """The same for the working calendar."""
        return await _listed("calendar", query)

    async def _listed(kind: str, query: When) -> Response:
        position, known = await _known(service, kind, query)
        if query.asked:
            known = [in_force(known, at=query.at, position=query.at_position)]
        return _page(service, position, known)

    return routes


def _page(service: Service, position: int, known: list[PolicyVersion]) -> Response:
    items = [policy_json(version, service.zone) for version in known]
    return answer({"items": items, "next": None, "position": position}, position)


async def _known(service: Service, kind: str, query: Read) -> tuple[int, list[PolicyVersion]]:
    position, known = await _versions(service, kind)
    if position < (query.min_position or 0):
        raise unavailable(f"the log ends at position {position}")
    return position, known


async def _versions(service: Service, kind: str) -> tuple[int, list[PolicyVersion]]:
    position, recorded = await service.reads.history(policy_id(known_kind(kind)))
    return position, versions(kind, recorded)
