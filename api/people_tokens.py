"""Tokens of people over HTTP: administrators make them, everybody sees and ends their own.

A token is a secret, shown once: no event, and nothing that could be asked for a second time.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api import openapi
from api.access import ADMIN
from api.command_route import Answer, Call, CommandRoute
from api.directory import seen
from api.hand_over import unconditional, unversioned
from api.problems import Problem
from api.reading import Page, Text, allowed, at_most, decode_cursor, listed
from api.service import Service
from commands.access import CreateToken, Issued, RevokeTokens
from commands.caller import Principal
from commands.fields import NO_NUL

READ, CREATE, REVOKE = "tokens.read", "tokens.create", "tokens.revoke"
PATH = "/v1/users/{ref:path}/tokens"
_TIME = {"type": ["string", "null"], "format": "date-time"}
_ISSUED: dict[str, Any] = {
    "name": {"type": "string"},
    "role": {"type": "string"},
    "created_at": _TIME,
    "created_by": {"type": ["string", "null"]},
    "expires_at": _TIME,
    "last_used_at": _TIME | {"description": "Noted at most once a minute."},
    "revoked_at": _TIME,
    "valid": {"type": "boolean"},
}
SCHEMAS: Mapping[str, Any] = {
    "Tokens": {
        "type": "object",
        "required": ["items", "next", "position"],
        "properties": {
            "items": {
                "type": "array",
                "items": {"type": "object", "required": [*_ISSUED], "properties": _ISSUED},
            },
            "next": {"type": ["string", "null"]},
            "position": {"type": "integer"},
        },
    },
    "NewToken": {
        "type": "object",
        "required": ["name", "token", "expires_at"],
        "properties": {
            "name": {"type": "string"},
            "token": {"type": "string", "description": "Shown this once."},
            "expires_at": _TIME,
        },
    },
    "RevokedTokens": {
        "type": "object",
        "required": ["revoked"],
        "properties": {"revoked": {"type": "integer"}},
    },
}


class Place(NamedTuple):
    """Where a page of tokens ends: at a token of this name that was made then."""

    name: Annotated[str, msgspec.Meta(pattern=NO_NUL)]
    created_at: datetime


def routes(service: Service, days: float) -> Iterator[CommandRoute]:
    """The commands; a token that says nothing else is valid for so many days."""
    for path, action, model, handle, answer, status in (
        (PATH, CREATE, CreateToken, partial(_create, service, days), "NewToken", 201),
        (f"{PATH}:revoke", REVOKE, RevokeTokens, partial(_revoke, service), "RevokedTokens", 200),
    ):
        documentation = openapi.command_on(
            answer, model, status, ref=openapi.NAME, conditional=False
        )
        if action == REVOKE:
            documentation["openapi_extra"]["parameters"].append(openapi.KEY)
        yield CommandRoute(service, path, action, model, handle, **documentation)


def router(service: Service) -> APIRouter:
    """The read."""
    routes = APIRouter(tags=["directory"], responses=openapi.problems())
    reader = Depends(allowed(service, READ))

    @routes.get("/v1/users/{name:path}/tokens", responses=openapi.shape("Tokens"))
    async def list_tokens(
        name: Text, query: Annotated[Page, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """A person's tokens by name, never the tokens themselves; one's own, or an admin's look."""
        _require_own(principal, name)
        position, _ = await seen(service, query)
        limit = at_most(query.limit, service)
        after = decode_cursor(query.cursor, Place) if query.cursor else None
        issued = await service.tokens.issued_to(name, after, limit)
        last = Place(issued[-1].name, issued[-1].created_at) if issued else None
        items = [_issued(token, service.zone) for token in issued]
        return listed(items, position, limit, last)

    return routes


async def _create(service: Service, days: float, call: Call[CreateToken]) -> Answer:
    """No Idempotency-Key: the same answer again would need the token, which is not kept."""
    unconditional(call)
    command, now = call.command, datetime.now(UTC)
    person = (await service.registry.latest()).people.get(call.ref)
    if person is None or not person.role:
        raise Problem(404, "no-such-person", f"nobody with a role is called {call.ref}")
    if not person.active:
        raise Problem(422, "not-active", f"{call.ref} is inactive: reactivate them first")
    if command.expires_at and (command.never or command.expires_at <= now):
        raise Problem(422, "invalid-expiry", "give a later time as expires_at, or never, not both")
    ends = None if command.never else command.expires_at or now + timedelta(days=days)
    token = await service.tokens.create(
        call.ref, person.role, command.name, ends, call.caller.actor
    )
    if token is None:
        detail = f"{call.ref} has a token named {command.name}: revoke it or choose another name"
        raise Problem(422, "name-taken", detail)
    body = {"name": command.name, "token": token, "expires_at": _local(ends, service.zone)}
    location = f"/v1/users/{quote(call.ref, safe='')}/tokens"
    return Answer(msgspec.json.encode(body), 201, Location=location)


async def _revoke(service: Service, call: Call[RevokeTokens]) -> Answer:
    """Any Idempotency-Key will do: what has ended stays so, however often it is asked for."""
    unversioned(call)
    _require_own(call.principal, call.ref)
    revoked = await service.tokens.end(call.ref, call.command.name)
    if call.command.name is None:
        service.sessions.forget(call.ref)
    return Answer(msgspec.json.encode({"revoked": revoked}))


def _require_own(principal: Principal, name: str) -> None:
    """Everybody for themselves, administrators for all: the problem 403, whether there is one."""
    if principal.role != ADMIN and name != principal.name:
        raise Problem(403, "forbidden", "you may do this for yourself")


def _issued(token: Issued, zone: ZoneInfo) -> dict[str, Any]:
    ended = token.revoked_at or (token.expires_at and token.expires_at <= datetime.now(UTC))
    times = ("created_at", "expires_at", "last_used_at", "revoked_at")
    shown = token._asdict() | {name: _local(getattr(token, name), zone) for name in times}
    del shown["person"]
    return shown | {"valid": not ended}


def _local(at: datetime | None, zone: ZoneInfo) -> datetime | None:
    return at and at.astimezone(zone)
