"""A lead's history as auditors read it: its events, and its life step by step (M3)."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from aggregates.lead.replay import Told, known, replay
from aggregates.lead.telling import event_json
from api.history_reads import HistoryRead, read_history
from api.openapi import problems
from api.reading import Instant, Page, allowed, at_most, decode_cursor, listed
from api.replay_json import HistoryEvents, ReplaySteps, step_json
from api.service import Service
from commands.caller import Principal


class HistoryPage(Page):
    """Which part of a history: a page of what had happened, and was known, at an instant."""

    as_of: Instant | None = None
    """Only facts that had happened before this instant."""
    as_known: Instant | None = None
    """Only facts that had been recorded at this instant."""


def router(service: Service) -> APIRouter:
    """The reads of a lead's history."""
    routes = APIRouter(
        prefix="/v1/leads",
        tags=["leads"],
        responses=problems(404),
        default_response_class=Response,
    )
    reader = Depends(allowed(service, "lead.read"))

    @routes.get("/{ref:ref}/events", responses={200: {"model": HistoryEvents}})
    async def list_events(
        ref: str, query: Annotated[HistoryPage, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """The lead's events in the order of recording, masked."""
        limit, after = bounds(query)
        read = await asked(ref, query, principal, "events")
        behind = (one for one in selected(read, query) if one.recorded.version > after)
        page = list(islice(behind, limit))
        items = [event_json(one, service.zone, read.others) for one in page]
        return listed(items, read.position, limit, page[-1].recorded.version if page else None)

    @routes.get("/{ref:ref}/replay", responses={200: {"model": ReplaySteps}})
    async def replay_lead(
        ref: str, query: Annotated[HistoryPage, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """The lead's life step by step: what each event says in words, which fields and clocks it
        changed, which rules it followed, who caused it, and when it happened and was recorded.
        """
        limit, after = bounds(query)
        read = await asked(ref, query, principal, "replay")
        life = replay(read.lead, selected(read, query), service.zone, read.others, after=after)
        steps = list(islice(life, limit))
        items = [step_json(step, service.zone) for step in steps]
        return listed(items, read.position, limit, steps[-1].version if steps else None)

    def bounds(query: HistoryPage) -> tuple[int, int]:
        """How many, behind which version."""
        after = decode_cursor(query.cursor, int) if query.cursor else 0
        return at_most(query.limit, service), after

    async def asked(ref: str, query: HistoryPage, principal: Principal, what: str) -> HistoryRead:
        at_least = query.min_position or 0
        return await read_history(service, principal, ref, what, at_least=at_least)

    return routes


def selected(read: HistoryRead, query: HistoryPage) -> list[Told]:
    """What of the history the query is about."""
    return list(known(read.told, query.as_of, query.as_known))
