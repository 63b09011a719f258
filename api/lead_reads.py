"""Leads as they are, as they were, in pages; and their follow-ups."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from aggregates.lead.evolve import fold
from aggregates.lead.state import Lead
from api.lead_json import lead_json, row_json
from api.leads import known_others
from api.openapi import lead, problems
from api.problems import not_found, unavailable
from api.reading import (
    Instant,
    Page,
    Read,
    Text,
    allowed,
    answer,
    at_most,
    caught_up,
    decode_cursor,
    listed,
)
from api.scoping import scope_for, seen
from api.service import Service
from commands.caller import Principal
from projections.base import visible


class LeadAt(Read):
    """Which facts to see: those before an instant, those known at an instant, or all."""

    as_of: Instant | None = None
    """Only facts that had happened before this instant."""
    as_known: Instant | None = None
    """Only facts that had been recorded at this instant."""


class LeadFilter(Page):
    """Which leads to list: those that have all of these values."""

    stage: Text | None = None
    level: Text | None = None
    source: Text | None = None
    industry: Text | None = None
    region: Text | None = None
    owner: Text | None = None
    team: Text | None = None
    pool: Text | None = None
    disposition: Literal["open", "converted", "invalid", "merged"] | None = None
    unassigned: bool | None = None
    """Whether nobody owns it."""
    paused: bool | None = None
    incomplete: bool | None = None
    """Whether something is missing (待补充)."""
    overdue: bool | None = None
    """Whether something that was due has not been done; of a paused lead nothing is."""
    q: Text | None = None
    """A part of the customer's or the contact's name or of the code, in any case."""
    sort: Literal["level-then-due", "captured_at"] = "level-then-due"
    """The highest level first and in it what is due first (R11), or the newest first."""


def router(service: Service) -> APIRouter:
    """The reads of leads."""
    routes = APIRouter(
        prefix="/v1/leads",
        tags=["leads"],
        responses=problems(404),
        default_response_class=Response,
    )

    reader = Depends(allowed(service, "lead.read"))

    @routes.get("")
    async def list_leads(
        query: Annotated[LeadFilter, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """Captured leads that one may see; those with nothing due, or captured at an unknown time,
        come behind the others.
        """
        await caught_up(service, query)
        place = (
            decode_cursor(query.cursor, tuple[int, datetime | None, UUID]) if query.cursor else None
        )
        filters = query.model_dump(exclude={*Page.model_fields, "sort"}, exclude_none=True)
        limit = at_most(query.limit, service)
        scope = await scope_for(service, principal)
        position, rows = await service.reads.leads(
            filters, scope, sort=query.sort, after=place, limit=limit
        )
        places = [row.pop("place") for row in rows]
        last = places[-1] if places else None
        items = [row_json(row, service.zone) for row in rows]
        return listed(items, position, limit, last)

    @routes.get("/{ref:ref}", responses=lead())
    async def read_lead(
        ref: str, query: Annotated[LeadAt, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """A lead as it is, or as it was (`as_of`), or as it was known to be (`as_known`)."""
        now, recorded, position = await seen(service, principal, ref)
        if position < (query.min_position or 0):
            raise unavailable(f"the log ends at position {position}")
        if query.as_known:
            recorded = [r for r in recorded if r.recorded_at <= query.as_known]
        state = fold(Lead(now.id), (r.event for r in visible(recorded, query.as_of)))
        if not (state.captured if query.as_of else state.version):
            raise not_found("there is no such lead")
        current = not (query.as_of or query.as_known)
        etag = {"ETag": f'"{state.version}"'} if current else {}
        merged = await service.reads.merged(now.id) if current else ()
        others = await known_others(service, principal, state, merged=merged)
        return answer(lead_json(state, service.zone, others, merged), position, **etag)

    @routes.get("/{ref:ref}/follow-ups")
    async def list_follow_ups(
        ref: str, query: Annotated[Page, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """The lead's follow-ups, and those of leads merged into it, in the order of recording."""
        after = decode_cursor(query.cursor, int) if query.cursor else 0
        limit = at_most(query.limit, service)
        stream = (await seen(service, principal, ref)).lead.id
        await caught_up(service, query)
        position, rows = await service.reads.follow_ups(stream, after, limit)
        items = [row_json(row, service.zone) for row in rows]
        return listed(items, position, limit, rows[-1]["position"] if rows else None)

    return routes
