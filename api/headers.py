"""The outermost layer: every answer says how browsers must treat it, and begins in time.

Plain ASGI around the whole application, so that the answer to a defect has the headers as well.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, response

ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
PRIVATE = (b"cache-control", b"no-store")
"""Unless a route says otherwise: nearly all that is read here is about people."""
HTTPS = (b"strict-transport-security", b"max-age=31536000")
PLAIN = (*ALWAYS, PRIVATE)
ENCRYPTED = (*PLAIN, HTTPS)
LOOK_SECONDS = 1.0
NAMES = frozenset(name for name, _ in PLAIN)


class _Request:
    """One under way, until its answer begins."""

    __slots__ = ("begun", "deadline", "late", "task")

    def __init__(self, deadline: float) -> None:
        self.task = asyncio.current_task()
        self.deadline = deadline
        self.begun = self.late = False


class SafeAnswers:
    """ASGI middleware: security headers, and 503 for an answer that does not begin in `seconds`.

    `others`: the limits of paths that match a pattern as a whole and take longer. One look a second
    at all requests under way costs less than a timer for each.
    """

    def __init__(
        self, app: ASGIApp, seconds: float, others: Mapping[re.Pattern[str], float] | None = None
    ) -> None:
        self._app = app
        self._seconds = seconds
        self._others = others or {}
        self._waiting: set[_Request] = set()
        self._looking = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seconds = self._limit_of(scope["path"])
        request = _Request(time.monotonic() + seconds)
        added = ENCRYPTED if scope["scheme"] == "https" else PLAIN

        async def begun(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.begun = True
                message["headers"] = _completed(message.get("headers", ()), added)
            await send(message)

        self._waiting.add(request)
        if not self._looking:
            self._look()
        try:
            await self._app(scope, receive, begun)
        except asyncio.CancelledError:
            if not request.late or not request.task:
                raise
            request.task.uncancel()
            if not request.begun:
                await response(_too_slow(seconds))(scope, receive, begun)
        finally:
            self._waiting.discard(request)

    def _limit_of(self, path: str) -> float:
        for pattern, limit in self._others.items():
            if pattern.fullmatch(path):
                return limit
        return self._seconds

    def _look(self) -> None:
        """End the requests that are late; look again while there are any."""
        self._looking = bool(self._waiting)
        if not self._looking:
            return
        now = time.monotonic()
        for request in self._waiting:
            if request.deadline < now and not (request.begun or request.late) and request.task:
                request.late = True
                request.task.cancel()
        asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)


def _completed(headers: Any, added: tuple[tuple[bytes, bytes], ...]) -> list[tuple[bytes, bytes]]:
    """The headers with those added that they do not have."""
    own = list(headers)
    for name, _ in own:
        if name in NAMES:
            given = {name for name, _ in own}
            return own + [header for header in added if header[0] not in given]
    own += added
    return own


def _too_slow(seconds: float) -> Problem:
    return Problem(
        503,
        "too-slow",
        f"no answer within {seconds:g} seconds: a command may have been carried out all the same;"
        " send it again with the same Idempotency-Key",
        headers={"Retry-After": "1"},
    )
