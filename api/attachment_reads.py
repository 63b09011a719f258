"""Files of leads: listed, taken out, found by name (R54-R56)."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from aggregates.lead.events import AttachmentAdded
from aggregates.privacy import mask_field
from api.lead_json import row_json
from api.openapi import problems
from api.problems import not_found
from api.reading import Page, Text, allowed, answer, at_most, caught_up, decode_cursor, listed
from api.scoping import scope_for, seen
from api.service import Service
from commands.caller import Principal


class Search(Page):
    """Which attachments to look for."""

    q: Text
    """A part of the name, in any case."""


def router(service: Service) -> APIRouter:
    """The reads of attachments."""
    routes = APIRouter(
        prefix="/v1",
        tags=["attachments"],
        responses=problems(404),
        default_response_class=Response,
    )
    reader = Depends(allowed(service, "lead.read"))
    downloader = Depends(allowed(service, "attachment.read"))

    @routes.get("/leads/{ref:ref}/attachments")
    async def list_attachments(ref: str, principal: Annotated[Principal, reader]) -> Response:
        """The lead's attachments in the order of adding."""
        lead, _, position = await seen(service, principal, ref)
        items = [attachment_json(file, service) for file in lead.attachments.values()]
        return answer({"items": items, "next": None, "position": position}, position)

    @routes.get("/leads/{ref:ref}/attachments/{attachment:uuid}")
    async def read_attachment(
        ref: str, attachment: UUID, request: Request, principal: Annotated[Principal, downloader]
    ) -> Response:
        """The file itself, to be saved and never to be shown by the browser."""
        lead, *_ = await seen(service, principal, ref)
        file = lead.attachments.get(attachment)
        if file is None:
            raise not_found("this lead has no such attachment")
        if lead.erased_at:
            raise not_found("this attachment was erased")
        headers = {"ETag": f'"{file.sha256}"', "X-Content-Type-Options": "nosniff"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        headers["Content-Length"] = str(file.size)
        headers["Content-Disposition"] = disposition(mask_field("name", file.name or ""))
        content = service.files.chunks(lead.id, attachment)
        return StreamingResponse(content, headers=headers, media_type=file.content_type)

    @routes.get("/attachments")
    async def search_attachments(
        query: Annotated[Search, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """Attachments with this part in their name, newest first, of the leads that one may see."""
        await caught_up(service, query)
        before = decode_cursor(query.cursor, int) if query.cursor else None
        limit = at_most(query.limit, service)
        scope = await scope_for(service, principal)
        position, rows = await service.reads.attachments(query.q, scope, before, limit)
        items = [row_json(row, service.zone) for row in rows]
        return listed(items, position, limit, rows[-1]["position"] if rows else None)

    return routes


def attachment_json(file: AttachmentAdded, service: Service) -> Mapping[str, Any]:
    """An attachment as it is shown."""
    values = {
        "id": file.attachment,
        "name": file.name,
        "content_type": file.content_type,
        "size": file.size,
        "sha256": file.sha256,
        "follow_up": file.follow_up,
        "warning": file.warning,
        "added_at": file.occurred_at,
    }
    shown = {name: mask_field(name, value) for name, value in values.items()}
    return row_json(shown, service.zone)


def disposition(name: str) -> str:
    """Content-Disposition: plain for old clients (RFC 6266), the name itself beside (RFC 5987)."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
