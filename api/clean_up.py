"""What the month-end clean-up proposes, and the answers to it, over HTTP (R100, R101, A25)."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api import openapi
from api.command_route import CommandRoute
from api.lead_json import row_json
from api.leads import Verb, act
from api.reading import Page, allowed, at_most, caught_up, decode_cursor, listed
from api.scoping import scope_for
from api.service import Service
from commands.caller import Principal
from commands.lead.clean_up import ConfirmInvalidation, DismissInvalidation

PATH = "/v1/cleanup-proposals"
READ, DECIDE = "cleanup.read", "cleanup.decide"
VERBS = (
    Verb(":confirm", DECIDE, ConfirmInvalidation),
    Verb(":dismiss", DECIDE, DismissInvalidation),
)


def routes(service: Service) -> Iterator[CommandRoute]:
    """The answers to a proposal."""
    for verb in VERBS:
        yield CommandRoute(
            service,
            f"{PATH}/{{ref:ref}}{verb.path}",
            verb.action,
            verb.model,
            partial(act, service, verb),
            **openapi.command(verb.model, verb.status, on_lead=True),
        )


def router(service: Service) -> APIRouter:
    """The list."""
    routes = APIRouter(
        prefix=PATH,
        tags=["reviews"],
        responses=openapi.problems(),
        default_response_class=Response,
    )
    reader = Depends(allowed(service, READ))

    @routes.get("")
    async def list_proposals(
        query: Annotated[Page, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """Leads that the clean-up proposes to give up, the longest proposed first, each until it is
        confirmed or dismissed, or the customer is reached.
        """
        await caught_up(service, query)
        after = decode_cursor(query.cursor, int) if query.cursor else 0
        limit = at_most(query.limit, service)
        scope = await scope_for(service, principal)
        position, rows = await service.reads.proposals(scope, after, limit)
        items = [row_json(row, service.zone) for row in rows]
        return listed(items, position, limit, rows[-1]["position"] if rows else None)

    return routes
