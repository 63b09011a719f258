"""How each first follow-up of a lead was met, derived from its history (R38-R42, A10)."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from aggregates.lead.sla import FirstFollowUp, first_follow_ups
from aggregates.privacy import mask_field
from api.lead_json import row_json
from api.openapi import problems
from api.reading import Instant, Read, allowed, answer
from api.scoping import seen
from api.service import Service
from commands.caller import Principal
from projections.base import visible


class SlaAt(Read):
    """Which facts to see."""

    as_of: Instant | None = None
    """Only facts that had happened before this instant, and how things stood at it."""


def router(service: Service) -> APIRouter:
    """The derived service levels of a lead."""
    routes = APIRouter(
        prefix="/v1/leads",
        tags=["leads"],
        responses=problems(404),
        default_response_class=Response,
    )
    reader = Depends(allowed(service, "lead.read"))

    @routes.get("/{ref:ref}/sla")
    async def list_first_follow_ups(
        ref: str, query: Annotated[SlaAt, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """Every first follow-up that was asked for: due when, done when, late by how much."""
        there = await seen(service, principal, ref)
        events = [recorded.event for recorded in visible(there.history, query.as_of)]
        now = query.as_of or service.clock.now()
        items = [shown(task) for task in first_follow_ups(there.lead.id, events, now)]
        body = {"items": items, "next": None, "position": there.position}
        return answer(body, there.position)

    def shown(task: FirstFollowUp) -> dict[str, Any]:
        values = asdict(task)
        for name in ("late", "paused", "since_capture", "since_assignment"):
            values[f"{name}_seconds"] = values.pop(name)
        return row_json({n: mask_field(n, v) for n, v in values.items()}, service.zone)

    return routes
