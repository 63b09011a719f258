"""How long a lead was in each stage and with each owner, derived from its history (R52, R102)."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from aggregates.lead.intervals import Interval, intervals
from aggregates.lead.state import Lead
from aggregates.privacy import mask_field
from api.lead_json import row_json
from api.openapi import problems
from api.reading import allowed, answer
from api.scoping import Seen, seen
from api.service import Service
from commands.caller import Principal


def router(service: Service) -> APIRouter:
    """The derived intervals of a lead."""
    routes = APIRouter(
        prefix="/v1/leads",
        tags=["leads"],
        responses=problems(404),
        default_response_class=Response,
    )
    reader = Depends(allowed(service, "lead.read"))

    @routes.get("/{ref:ref}/stages")
    async def list_stages(ref: str, principal: Annotated[Principal, reader]) -> Response:
        """When the lead was in which stage, and for how long, its pauses included."""
        there = await seen(service, principal, ref)
        return spent(there, "stage", lambda lead: lead.stage)

    @routes.get("/{ref:ref}/owners")
    async def list_owners(ref: str, principal: Annotated[Principal, reader]) -> Response:
        """When the lead was with which owner (null = nobody), its pauses included."""
        there = await seen(service, principal, ref)
        return spent(there, "owner", lambda lead: lead.owner)

    def spent(there: Seen, name: str, value: Callable[[Lead], str | None]) -> Response:
        events = [recorded.event for recorded in there.history]
        found = intervals(there.lead.id, events, value, service.clock.now())
        body = {
            "items": [shown(name, item) for item in found.items],
            "pauses": [shown("reason", pause) for pause in found.pauses],
            "age_seconds": found.age.total_seconds(),
            "next": None,
            "position": there.position,
        }
        return answer(body, there.position)

    def shown(name: str, interval: Interval) -> dict[str, Any]:
        values = {
            name: mask_field(name, interval.value),
            "since": interval.since,
            "until": interval.until,
            "seconds": interval.lasted.total_seconds(),
            "paused_seconds": interval.paused.total_seconds(),
        }
        return row_json(values, service.zone)

    return routes
