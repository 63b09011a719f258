"""Files put on leads over HTTP (R54, R55).

A file is set aside, looked at, judged, and only then stored; the event that makes it an attachment
comes last, so nobody is ever shown a file that is not there whole.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from aggregates.lead.attachment import attachment_id
from aggregates.lead.events import FollowUpRecorded
from aggregates.refusal import Refusal
from api import openapi
from api.attachment_reads import attachment_json
from api.command_route import Call, idempotency_key
from api.content_types import sniff
from api.reading import Text, allowed, answer
from api.scoping import called, scope_for, seen
from api.service import Service
from api.uploads import Received, received
from commands.caller import Principal
from commands.lead.files import AddAttachment

PATH = r"/v1/leads/[^/:]+/attachments"
"""Where bodies are files, with a limit of their own."""


class Upload(BaseModel):
    """What a file is called, and the follow-up that it belongs to."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: Text
    """company-document-yyyymmdd, with the file's extension (R55)."""
    follow_up: Text | None = None
    """A follow-up code."""


def router(service: Service) -> APIRouter:
    """The route of uploads."""
    routes = APIRouter(tags=["attachments"], responses=openapi.problems(404, 409, 412, 413, 415))
    uploader = Depends(allowed(service, "lead.attach"))

    @routes.post("/v1/leads/{ref:ref}/attachments", status_code=201, openapi_extra=openapi.FILE)
    async def add_attachment(
        ref: str,
        request: Request,
        query: Annotated[Upload, Query()],
        principal: Annotated[Principal, uploader],
    ) -> Response:
        """Attach the file that is the body; the same content and name again changes nothing."""
        headers = dict(request.scope["headers"])
        again = await service.commands.knows(principal.caller, idempotency_key(headers))
        limit = service.attachment_limit
        if not again:  # a repetition is answered, whatever has become of the lead and the rules
            await _require_place(service, principal, ref, query.follow_up)
            rules = (await service.registry.current()).policies.attachments.rules
            limit = min(rules.max_bytes, limit)
        lead, scope = await called(service, ref), await scope_for(service, principal)
        async with received(request.stream(), limit) as file:
            command = _command(query, file)
            call = Call(ref, principal, command, headers)
            wanted = attachment_id(lead, command.name, command.sha256)
            if not again and await service.commands.rehearse(
                command, lead=lead, caller=call.caller, scope=scope
            ):
                await service.files.keep(lead, wanted, file.chunks())
        reply = await service.commands.execute(
            command,
            lead=lead,
            caller=call.caller,
            key=call.key,
            expected_version=call.expected_version,
            scope=scope,
        )
        position = reply.position or await service.reads.head()
        shown = answer(attachment_json(reply.state.attachments[wanted], service), position)
        shown.status_code = 201
        shown.headers["ETag"] = f'"{reply.state.version}"'
        shown.headers["Location"] = f"/v1/leads/{lead}/attachments/{wanted}"
        return shown

    return routes


def _command(query: Upload, file: Received) -> AddAttachment:
    return AddAttachment(
        name=query.name,
        follow_up=query.follow_up,
        content_type=sniff(file.head, query.name),
        size=file.size,
        sha256=file.sha256,
    )


async def _require_place(
    service: Service, principal: Principal, ref: str, follow_up: str | None
) -> None:
    """A lead within the caller's scope; a follow-up of it, if one is named.

    A follow-up, once recorded, stays: it may be looked for ahead of the decision.
    """
    there = await seen(service, principal, ref)
    codes = {r.event.code for r in there.history if isinstance(r.event, FollowUpRecorded)}
    if follow_up and follow_up not in codes:
        raise Refusal("unknown-follow-up", f"this lead has no follow-up {follow_up}", "follow_up")
