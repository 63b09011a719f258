"""The size of a request's body is bounded before anything reads it."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, response


class BodyLimit:
    """ASGI middleware: 413 for a body above `limit` bytes, announced or streamed."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) > self._limit:
            await response(self._too_large())(scope, receive, send)
            return
        await self._app(scope, receive if length else self._counting(receive), send)

    def _counting(self, receive: Receive) -> Receive:
        """For a body whose length nobody announced."""
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> Problem:
        return Problem(413, "body-too-large", f"a request has at most {self._limit} bytes")
