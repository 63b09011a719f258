"""Reviews over HTTP: their list, their findings, their frozen reports, closing them (R71, R109,
R110, R119). A supervisor sees those of the teams that they lead, anybody else admitted sees all.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from aggregates.review.review import sees
from aggregates.review.state import Review, evolve
from api import openapi
from api.access import SUPERVISOR
from api.command_route import Answer, Call, CommandRoute
from api.company_route import shown
from api.lead_json import row_json
from api.problems import bad_parameter, not_found
from api.reading import Page, Read, Text, allowed, answer, at_most, caught_up, decode_cursor, listed
from api.reports import documented, read_parameters
from api.review_json import review_json
from api.scoping import counted_for
from api.service import Service
from commands.caller import Principal
from commands.directory import Request as Conditions
from commands.reviews import CloseReview

READ, CLOSE = "review.read", "review.close"
KNOWLEDGE = ("as_known", "at_position")
REF = {
    **openapi.NAME,
    "description": "The review's id.",
    "schema": {"type": "string", "format": "uuid"},
}


class ReviewFilter(Page):
    """Which reviews to list."""

    kind: Literal["weekly", "monthly", "quarterly", "clean-up"] | None = None
    team: Text | None = None
    open: bool | None = None
    """Only those that are still to be held (true), or only those that were (false)."""


def routes(service: Service) -> Sequence[CommandRoute]:
    """The closing of a review."""
    documentation = openapi.command_on("Review", CloseReview, 200, ref=REF)
    path = "/v1/reviews/{ref:ref}:close"
    return [
        CommandRoute(service, path, CLOSE, CloseReview, partial(close, service), **documentation)
    ]


async def close(service: Service, call: Call[CloseReview]) -> Answer:
    """The review after it is closed."""
    conditions = Conditions(call.caller, call.key, call.expected_version)
    teams = await _teams(service, call.principal)
    reply = await service.reviews.close(call.command, _id(call.ref), conditions, teams)
    return await shown(service, reply, review_json(reply.state, service.zone), 200)


def router(service: Service) -> APIRouter:
    """The reads of reviews."""
    routes = APIRouter(
        prefix="/v1/reviews",
        tags=["reviews"],
        responses=openapi.problems(404),
        default_response_class=Response,
    )
    reader = Depends(allowed(service, READ))

    @routes.get("")
    async def list_reviews(
        query: Annotated[ReviewFilter, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """Reviews without their findings, the newest first."""
        await caught_up(service, query)
        before = decode_cursor(query.cursor, int) if query.cursor else None
        limit = at_most(query.limit, service)
        wanted = {"kind": query.kind, "team": query.team, "open": query.open}
        filters = {name: value for name, value in wanted.items() if value is not None}
        teams = await _teams(service, principal)
        position, rows = await service.reads.reviews(filters, teams, before, limit)
        last = rows[-1]["opened_position"] if rows else None
        items = [row_json(row, service.zone) for row in rows]
        return listed(items, position, limit, last)

    @routes.get("/{review}", responses=openapi.shape("Review"))
    async def read_review(
        review: str, query: Annotated[Read, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """A review with what was found, and what it came to."""
        await caught_up(service, query)
        position, state = await _seen(service, principal, review)
        body: Any = review_json(state, service.zone)
        return answer(body, position, ETag=f'"{state.version}"')

    @routes.get(
        "/{review}/report", openapi_extra=documented("name", without=(*KNOWLEDGE, "min_position"))
    )
    async def read_frozen_report(
        review: str, request: Request, principal: Annotated[Principal, reader]
    ) -> Response:
        """A report as known when the period ended: whatever is recorded later, it stays the same.

        `name` is the report's; all else is as for /v1/reports.
        """
        _, state = await _seen(service, principal, review)
        assert state.opened is not None
        given = read_parameters(request.query_params)
        name = given.pop("name", None)
        if not name:
            raise bad_parameter("name", "names a report")
        for other in KNOWLEDGE:
            if other in given:
                raise bad_parameter(other, "is the review's own: leave it out")
        given["at_position"] = state.opened.position
        body = await service.reads.report(name, given, await counted_for(service, principal))
        return answer(body, body["position"])

    return routes


async def _seen(service: Service, principal: Principal, reference: str) -> tuple[int, Review]:
    """A position, and the review; the problem 404 when the person may not know of it."""
    stream = _id(reference)
    position, history = await service.reads.history(stream)
    state = Review(stream)
    for recorded in history:
        state = evolve(state, recorded.event)
    if not sees(state, await _teams(service, principal)):
        raise not_found("there is no such review")
    return position, state


async def _teams(service: Service, principal: Principal) -> Sequence[str] | None:
    """The teams whose reviews a person may see; None = all there are."""
    if principal.role != SUPERVISOR:
        return None
    return (await service.registry.current()).teams_led_by(principal.name)


def _id(reference: str) -> UUID:
    try:
        return UUID(reference)
    except ValueError:
        raise not_found("there is no such review") from None
