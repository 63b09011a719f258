"""The change feed over HTTP: what happens, as server-sent events, from a position on (M3)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from aggregates.refusal import Refusal
from api import openapi
from api.feed_stream import ACTION, MEDIA_TYPE, Asked, FeedResponse
from api.problems import bad_parameter
from api.reading import Text, allowed
from api.scoping import seen
from api.service import Service
from commands.caller import Principal
from commands.feed import Wanted, topics_of

MAX_POSITION = 2**63 - 1
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events without end: `id` is the position, `event` the topic, `data` the"
        " event as in a lead's history with its `stream` and, of a lead, its `code`. An event"
        " `end` says why the service ends the connection.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}


class FeedQuery(BaseModel):
    """From where on, and what of it."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    after: int | None = Field(None, ge=0, le=MAX_POSITION)
    """Events behind this position of the log; without it, those from now on. A `Last-Event-ID`
    goes before it.
    """
    topic: list[Text] = Field([], max_length=100)
    """Only events of these topics, such as lead.assigned, or lead.* for all of that kind."""
    lead: Text | None = None
    """Only events of the lead with this UUID or code."""
    follow: bool = True
    """Whether to go on when everything that is in the log by now was sent."""


def router(service: Service) -> APIRouter:
    """The one route."""
    routes = APIRouter(tags=["feed"], responses=openapi.problems(404))
    reader = Depends(allowed(service, ACTION))

    @routes.get("/v1/events", responses=STREAM, response_class=Response)
    async def follow_events(
        request: Request,
        query: Annotated[FeedQuery, Query()],
        principal: Annotated[Principal, reader],
        last: Annotated[str | None, Header(alias="Last-Event-ID", max_length=100)] = None,
    ) -> Response:
        """What happens to the leads that one may see, masked; to admins and auditors everything."""
        try:
            topics = topics_of(query.topic, service.topics)
        except Refusal as refusal:
            detail = f"is given once for each: {refusal.message}"
            raise bad_parameter("topic", detail) from None
        lead = (await seen(service, principal, query.lead)).lead.id if query.lead else None
        head = await service.feed.head()
        after = _position(last, query.after, head)
        asked = Asked(after, Wanted(topics, lead), None if query.follow else head)
        return FeedResponse(service, request, principal, asked)

    return routes


def _position(last: str | None, after: int | None, head: int) -> int:
    """Where to begin. One that the log has not reached is of another log, or made up."""
    name, position = "after", head if after is None else after
    if last:
        name = "Last-Event-ID"
        if not (last.isascii() and last.isdigit() and len(last) < 19):
            raise bad_parameter(name, "is the id of an event of this feed, a position of the log")
        position = int(last)
    if position > head:
        raise bad_parameter(name, f"lies behind the log's end, {head}")
    return position
