"""The queue of leads that may be one, for a person to decide (R2, A1)."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api.lead_json import row_json
from api.openapi import problems
from api.reading import Page, allowed, at_most, caught_up, decode_cursor, listed
from api.scoping import scope_for
from api.service import Service
from commands.caller import Principal


class Suspicions(Page):
    """Which suspicions to list."""

    certain: bool | None = None
    """Only those by phone or e-mail (true), or only those by company name (false)."""


def router(service: Service) -> APIRouter:
    """The reads of suspicions."""
    routes = APIRouter(
        prefix="/v1/duplicates",
        tags=["leads"],
        responses=problems(),
        default_response_class=Response,
    )

    reader = Depends(allowed(service, "duplicates.read"))

    @routes.get("")
    async def list_duplicates(
        query: Annotated[Suspicions, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """Pairs of leads that may be one, oldest suspicion first, until merged or dismissed.

        Only those of which one may see both.
        """
        await caught_up(service, query)
        after = decode_cursor(query.cursor, int) if query.cursor else 0
        limit = at_most(query.limit, service)
        scope = await scope_for(service, principal)
        position, rows = await service.reads.duplicates(scope, after, limit, certain=query.certain)
        items = [row_json(row, service.zone) for row in rows]
        return listed(items, position, limit, rows[-1]["position"] if rows else None)

    return routes
