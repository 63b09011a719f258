"""Every request gets a correlation id, is measured until its answer begins, and may be logged.

A caller gives the id as `X-Correlation-ID`, a UUID, or as the trace id of a W3C `traceparent`: then
it is recorded with the events of the command, and the answer repeats it. Otherwise one is made for
what is logged; the answer tells it when the service is at fault. An id in another form is no id.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any
from uuid import UUID

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from commands.correlation import Correlation, correlation

logger = logging.getLogger("leadlog.access")

HEADER = b"x-correlation-id"
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
NO_ROUTE = "(none)"
LOOP_LOOK_SECONDS = 0.5
UNTRACED: AbstractContextManager[Any] = nullcontext()

_TRACE = re.compile(rb"[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-.*)?")

Note = Callable[[str, str, int, float], None]
"""Takes the method, the template of the route, the status and seconds."""
Trace = Callable[[UUID, str], AbstractContextManager[Any]]
"""Makes the span of a request, in the trace with that id and below a `traceparent`, if any."""


class Observed:
    """ASGI middleware around everything else; tells `note` of each answer that begins."""

    def __init__(
        self, app: ASGIApp, note: Note, is_ending: Callable[[], bool], trace: Trace | None
    ) -> None:
        self._app, self._note, self._is_ending, self._trace = app, note, is_ending, trace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Correlation(correlation_of(scope["headers"]))
        correlation.set(request)
        begun = time.perf_counter()

        async def observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                if request.given or status >= 500:
                    named = (HEADER, str(request.id).encode())
                    message["headers"] = [*message.get("headers", ()), named]
                if self._is_ending():  # so that nobody sends the next request as we go
                    message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
                self._begins(scope, status, time.perf_counter() - begun, span)
            await send(message)

        with self._span(request, scope) as span:
            await self._app(scope, receive, observed)

    def _span(self, request: Correlation, scope: Scope) -> AbstractContextManager[Any]:
        if self._trace is None:
            return UNTRACED
        request.given = request.id  # it names the trace, and so it is recorded
        parent = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
        return self._trace(request.id, parent)

    def _begins(self, scope: Scope, status: int, seconds: float, span: Any) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = getattr(scope.get("route"), "path_format", None) or NO_ROUTE
        self._note(method, route, status, seconds)
        if span:
            span.update_name(f"{method} {route}")
            span.set_attribute("http.response.status_code", status)
        if logger.isEnabledFor(logging.INFO):
            logger.info("%s %s %d in %.4f s", method, route, status, seconds)


def correlation_of(headers: Iterable[tuple[bytes, bytes]]) -> UUID | None:
    """The id that a request's headers name, if they do: X-Correlation-ID before traceparent."""
    found = None
    for name, value in headers:
        if name == HEADER:
            with suppress(ValueError):
                return UUID(value.decode("latin-1"))
        elif name == b"traceparent" and (match := _TRACE.fullmatch(value)):
            found = UUID(match[1].decode())
    return found


async def watch_loop(note: Callable[[float], None]) -> None:
    """Tell `note` twice a second how many seconds late the event loop was, until cancelled."""
    while True:
        expected = time.perf_counter() + LOOP_LOOK_SECONDS
        await asyncio.sleep(LOOP_LOOK_SECONDS)
        note(max(time.perf_counter() - expected, 0.0))
