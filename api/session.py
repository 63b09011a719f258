"""The session of the page: a token is exchanged for a cookie that scripts cannot read, once."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api import openapi
from api.auth import TOKEN_PREFIX
from api.directory import seen
from api.forgery import csrf_token
from api.problems import Problem, bad_parameter
from api.reading import Read, allowed, answer
from api.service import Service
from commands.caller import Principal

OPEN, OWN = "session.open", "session.own"
SECURE_COOKIE, PLAIN_COOKIE = "__Host-leadlog", "leadlog"
SESSION: dict[str, Any] = {
    "type": "object",
    "required": ["person", "role", "expires_at", "csrf"],
    "properties": {
        "person": {"type": "string"},
        "role": {"type": "string"},
        "expires_at": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "When the session ends at the latest; null without one.",
        },
        "csrf": {
            "type": ["string", "null"],
            "description": "What X-CSRF-Token has to be for commands; null without a session.",
        },
    },
}


def router(service: Service, cookie: str) -> APIRouter:
    """Log in, who am I, log out. `cookie` is the cookie's name."""
    routes = APIRouter(tags=["session"], responses=openapi.problems())
    admitted = allowed(service, OWN)
    opener, owner = Depends(allowed(service, OPEN)), Depends(admitted)

    @routes.post("/v1/session", status_code=201, responses=openapi.shape("Session", 201))
    async def open_session(request: Request, principal: Annotated[Principal, opener]) -> Response:
        """Exchange the token of this request for a session's cookie."""
        headers = dict(request.scope["headers"])
        proof = service.doorkeeper.proof(headers)
        if proof.by_cookie:
            raise bad_parameter("Authorization", "is missing: a session is opened with a token")
        if before := service.doorkeeper.cookie(headers):
            await service.sessions.end(before)
        ours = proof.secret if proof.secret.startswith(TOKEN_PREFIX) else None
        opened = await service.sessions.open(principal, ours)
        body = _body(principal, opened.expires_at, opened.cookie, service.zone)
        return Response(
            body,
            201,
            headers={"Set-Cookie": _cookie(cookie, opened.cookie)},
            media_type="application/json",
        )

    @routes.get("/v1/session", responses=openapi.shape("Session"))
    async def read_session(
        request: Request, query: Annotated[Read, Query()], principal: Annotated[Principal, owner]
    ) -> Response:
        """Who one is, and what commands of the page have to send."""
        position, _ = await seen(service, query)
        proof = service.doorkeeper.proof(dict(request.scope["headers"]))
        secret = proof.secret if proof.by_cookie else None
        ends = await service.sessions.expires_at(secret) if secret else None
        return answer(_body(principal, ends, secret, service.zone), position)

    @routes.delete("/v1/session", status_code=204)
    async def end_session(request: Request) -> Response:
        """Log out: the session ends and the browser forgets its cookie, ended before or not."""
        headers = dict(request.scope["headers"])
        by_cookie = service.doorkeeper.proof(headers).by_cookie
        try:
            await admitted(request)
        except Problem as problem:
            if problem.status != HTTPStatus.UNAUTHORIZED or not by_cookie:
                raise
        else:
            if secret := service.doorkeeper.cookie(headers):
                await service.sessions.end(secret)
        return Response(
            status_code=204, headers={"Set-Cookie": _cookie(cookie, "") + "; Max-Age=0"}
        )

    return routes


def _body(
    principal: Principal, expires_at: datetime | None, secret: str | None, zone: ZoneInfo
) -> bytes:
    return msgspec.json.encode(
        {
            "person": principal.name,
            "role": principal.role,
            "expires_at": expires_at and expires_at.astimezone(zone),
            "csrf": csrf_token(secret) if secret else None,
        }
    )


def _cookie(name: str, value: str) -> str:
    """For this host alone, while the browser runs; over https alone unless it is named plainly."""
    secure = "; Secure" if name == SECURE_COOKIE else ""
    return f"{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}"
