"""Leads from outside: forms and webhooks, with a key of their channel and nothing else (R1).

Whoever submits gets a receipt, never anything that the company knows of a customer: no code of a
lead either, which would tell how many there were that day (A23).
"""

import time
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl

import msgspec
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from api import openapi
from api.command_route import Answer, idempotency_key, read_body, send_json
from api.problems import Problem, invalid, not_found
from api.service import Service
from commands import correlation
from commands.caller import Channel
from commands.lead.intake import Submission

FORM = b"application/x-www-form-urlencoded"
MAX_FIELDS = 100
_EXAMPLE = "5b0c5c4e-7d3a-5f0e-9a44-3f6c1d2e8b10"
RECEIPT: Mapping[str, Any] = {
    "type": "object",
    "required": ["receipt"],
    "properties": {"receipt": {"type": "string", "examples": [_EXAMPLE]}},
}
_KEY = {
    "name": "key",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "The channel's key: `leadlog channels add NAME --source S` prints it once.",
}


class Channels(Protocol):
    """Knows whom a channel key belongs to, and what was submitted just now."""

    async def find(self, key: str) -> Channel | None:
        """The channel; None for a key that is unknown or revoked."""
        ...

    async def submission(self, channel: Channel, body: str) -> str:
        """A name for a body: the same one for the same body of a channel shortly after."""
        ...


class Intake(APIRoute):
    """`POST /v1/intake/{key}`: JSON, or a form as a browser sends it."""

    def __init__(self, service: Service, channels: Channels) -> None:
        super().__init__(
            "/v1/intake/{key}",
            _handled_below,
            methods=["POST"],
            name="intake",
            response_model=None,
            **_documentation(),
        )
        self._service = service
        self._channels = channels
        self._minute = 0
        self._counts: dict[str, int] = {}
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        channel = await self._channels.find(scope["path_params"]["key"])
        if channel is None:
            self._service.doorkeeper.note_failure(scope)
            raise not_found("there is no such channel")
        self._count(channel)
        headers = dict(scope["headers"])
        submission = _parsed(headers, await read_body(receive))
        key = idempotency_key(headers) or submission.submission_id
        reply = await self._service.commands.execute(
            submission.capture(channel.source),
            lead=None,
            caller=channel.caller(correlation.given()),
            key=key or await self._channels.submission(channel, submission.said()),
        )
        await send_json(send, Answer(msgspec.json.encode({"receipt": reply.state.id}), 201))

    def _count(self, channel: Channel) -> None:
        """So many a minute, in this process."""
        minute = int(time.monotonic() / 60)
        if minute != self._minute:
            self._minute, self._counts = minute, {}
        count = self._counts[channel.name] = self._counts.get(channel.name, 0) + 1
        if count > channel.per_minute:
            raise Problem(
                429,
                "too-many-requests",
                f"at most {channel.per_minute} submissions a minute",
                headers={"Retry-After": "60"},
            )


def _parsed(headers: Mapping[bytes, bytes], body: bytes) -> Submission:
    try:
        if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != FORM:
            return Submission.model_validate_json(body)
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        return Submission.model_validate(dict(fields))
    except ValidationError as error:
        raise invalid(error) from None
    except ValueError:
        raise Problem(
            400, "malformed-form", "the form is not UTF-8 or has too many fields"
        ) from None


async def _handled_below() -> None:
    """Stands where FastAPI wants an endpoint to document."""


def _documentation() -> dict[str, Any]:
    schema = {"schema": {"$ref": f"#/components/schemas/{Submission.__name__}"}}
    errors = {
        status: what
        for status, what in openapi.problems(404, 409, 413).items()
        if status not in (401, 403)
    }
    return {
        "summary": "Submit a lead through a channel; no token is needed.",
        "operation_id": Submission.__name__,
        "status_code": 201,
        "responses": {**openapi.shape("Receipt", 201), **errors},
        "openapi_extra": {
            "security": [],
            "parameters": [_KEY, openapi.KEY],
            "requestBody": {
                "required": True,
                "content": {"application/json": schema, FORM.decode(): schema},
            },
        },
    }
