"""The size of a request's body is bounded before anything reads it."""

import re
from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, response


class BodyLimit:
    """ASGI middleware: 413 for a body above `limit` bytes, announced or streamed.

    `others`: the limits of paths that match a pattern as a whole and take more.
    """

    def __init__(
        self, app: ASGIApp, limit: int, others: Mapping[re.Pattern[str], int] | None = None
    ) -> None:
        self._app = app
        self._limit = limit
        self._others = others or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) > limit:
            await response(_too_large(limit))(scope, receive, send)
            return
        await self._app(scope, receive if length else _counting(receive, limit), send)

    def _limit_of(self, path: str) -> int:
        own = (limit for pattern, limit in self._others.items() if pattern.fullmatch(path))
        return next(own, self._limit)


def _counting(receive: Receive, limit: int) -> Receive:
    """For a body whose length nobody announced."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return counted


def _too_large(limit: int) -> Problem:
    return Problem(413, "body-too-large", f"a request has at most {limit} bytes")
