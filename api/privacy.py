"""Personal data over HTTP: revealing it, erasing it, and who has seen it (A4, A27, R113-R117)."""

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from aggregates.lead.reveal import REVEALABLE, revealed
from api import openapi
from api.command_route import Answer, Call, CommandRoute
from api.lead_json import row_json
from api.leads import Verb, act
from api.reading import Page, Text, allowed, at_most, caught_up, decode_cursor, listed
from api.scoping import called, scope_for
from api.service import Service
from commands.caller import Principal
from commands.lead.privacy import EraseLead, RevealContact

REVEAL, ERASE = "lead.reveal", "lead.erase"
ACCESSES, ERASURES = "privacy.accesses", "privacy.erasures"
REVEALED = {
    "type": "object",
    "description": "One personal value in clear; null once it was erased.",
    "required": ["field", "value", "purpose"],
    "properties": {
        "field": {"enum": list(REVEALABLE)},
        "value": {"type": ["string", "null"]},
        "purpose": {"type": "string"},
    },
}
ERASING = Verb(":erase", ERASE, EraseLead)


class AccessFilter(Page):
    """Which accesses to list."""

    lead: Text | None = None
    """A lead's UUID or code."""
    person: Text | None = None
    """Who saw it."""
    kind: Literal["reveal", "history"] | None = None
    what: Text | None = None
    """The field that was revealed (phone, email, need), or what was read of a history."""


class ErasureFilter(Page):
    """Which erasures to list."""

    lead: Text | None = None
    """A lead's UUID or code."""


def routes(service: Service) -> Iterator[CommandRoute]:
    """The commands."""
    yield CommandRoute(
        service,
        "/v1/leads/{ref:ref}/contact:reveal",
        REVEAL,
        RevealContact,
        partial(reveal, service),
        **openapi.command_on("Revealed", RevealContact, 200, ref=openapi.REF),
    )
    yield CommandRoute(
        service,
        f"/v1/leads/{{ref:ref}}{ERASING.path}",
        ERASE,
        EraseLead,
        partial(erase, service),
        **openapi.command(EraseLead, 200, on_lead=True),
    )


async def reveal(service: Service, call: Call[RevealContact]) -> Answer:
    """One value in clear; it is on record who saw it before anybody does."""
    reply = await service.commands.execute(
        call.command,
        lead=await called(service, call.ref),
        caller=call.caller,
        key=call.key,
        expected_version=call.expected_version,
        scope=await scope_for(service, call.principal),
    )
    field = call.command.field
    body = {"field": field, "value": revealed(reply.state, field), "purpose": call.command.purpose}
    position = reply.position or await service.reads.head()
    return Answer(
        msgspec.json.encode(body),
        ETag=f'"{reply.state.version}"',
        Leadlog_Position=str(position),
    )


async def erase(service: Service, call: Call[EraseLead]) -> Answer:
    """What is left of the lead; the erasure is also noted outside the database."""
    lead = await called(service, call.ref)
    shown = await act(service, ERASING, call)
    await service.note_erasure(lead)
    return shown


def router(service: Service) -> APIRouter:
    """The lists of what was seen and what was erased."""
    routes = APIRouter(
        prefix="/v1/privacy",
        tags=["privacy"],
        responses=openapi.problems(),
        default_response_class=Response,
    )
    reader = Depends(allowed(service, ACCESSES))

    @routes.get("/accesses")
    async def list_accesses(
        query: Annotated[AccessFilter, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """Who saw which value in clear, and who read a history, of the leads that one may see: the
        latest first. "Who has seen this phone number?" is `?lead=…&what=phone`.
        """
        await caught_up(service, query)
        limit = at_most(query.limit, service)
        wanted = {"reader": query.person, "kind": query.kind, "what": query.what}
        filters: dict[str, object] = {k: v for k, v in wanted.items() if v is not None}
        if query.lead:
            filters["lead"] = await called(service, query.lead)
        before = decode_cursor(query.cursor, int) if query.cursor else None
        scope = await scope_for(service, principal)
        position, rows = await service.reads.accesses(filters, scope, before=before, limit=limit)
        items = [row_json(row, service.zone) for row in rows]
        return listed(items, position, limit, rows[-1]["position"] if rows else None)

    @routes.get("/erasures", dependencies=[Depends(allowed(service, ERASURES))])
    async def list_erasures(query: Annotated[ErasureFilter, Query()]) -> Response:
        """What each erasure destroyed, and which read models have dropped the values: the
        certificate. The latest first.
        """
        await caught_up(service, query)
        limit = at_most(query.limit, service)
        lead = await called(service, query.lead) if query.lead else None
        before = decode_cursor(query.cursor, int) if query.cursor else None
        position, rows = await service.reads.erasures(lead=lead, before=before, limit=limit)
        items = [row_json(row, service.zone) for row in rows]
        return listed(items, position, limit, rows[-1]["position"] if rows else None)

    return routes
