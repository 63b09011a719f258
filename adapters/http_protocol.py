"""HTTP/1.1 with bounds that the server does not know itself: line, headers, time, connections.

What does not fit is answered with a problem (RFC 9457) and the connection ends. Timers are only set
where a request does not arrive in one piece.
"""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from adapters.access_settings import AccessSettings


class Bounds(NamedTuple):
    """The most of each: bytes of the URL, of line and headers; headers; connections; seconds until
    line and headers are there, of silence within a body, and until something of an answer is taken.
    """

    url: int
    head: int
    headers: int
    connections: int
    head_seconds: float
    body_seconds: float
    write_seconds: float


class NotAccepted(Exception):  # noqa: N818 - it becomes an answer
    """A request beyond the bounds."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


def bounded(settings: AccessSettings, added: Sequence[tuple[bytes, bytes]]) -> type[Any]:
    """The protocol with the bounds of the settings; `added` are headers of each of its answers."""
    own = Bounds(
        settings.max_url_bytes,
        settings.max_header_bytes,
        settings.max_headers,
        settings.max_connections,
        settings.head_seconds,
        settings.body_seconds,
        settings.write_seconds,
    )

    class Bounded(BoundedProtocol):
        bounds = own
        extra = b"".join(b"%s: %s\r\n" % header for header in added)

    return Bounded


class Gathering:
    """A transport that sends the head of an answer with what follows it in one turn of the event
    loop: one call to the system for nearly every answer. All else goes out at once, so that a
    client who reads slowly is noticed as soon as ever.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._begins = False
        self._head = b""

    def begin(self) -> None:
        """What is written next is the head of an answer."""
        self._begins = True

    def write(self, data: bytes) -> None:
        """Send it, a head as late as the end of the turn."""
        if self._begins:
            self._flush()
            self._begins, self._head = False, data
            self._loop.call_soon(self._flush)
        else:
            data, self._head = self._head + data, b""
            self._transport.write(data)

    def close(self) -> None:
        """Send what was written, and end."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head and not self._transport.is_closing():
            self._transport.write(head)


class BoundedProtocol(HttpToolsProtocol):
    """One connection. `_arriving` is what the client owes: the head, the body, or nothing."""

    bounds: ClassVar[Bounds]
    extra: ClassVar[bytes]

    def connection_made(self, transport: Any) -> None:
        """A client has connected; it has to say what it wants in time."""
        super().connection_made(transport)
        self._gathering = Gathering(transport, self.loop)
        self.transport = cast("asyncio.Transport", self._gathering)
        self._arriving: str | None = "head"
        self._head = 0
        self._refusal: NotAccepted | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._heard = self.loop.time()
        if len(self.connections) > self.bounds.connections:
            self._refuse(503, "too-many-connections", "too many connections: try again later")
        else:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._go_on()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client leaves unread what is sent to it: for so long, and then it is gone."""
        super().pause_writing()
        patience = self.bounds.write_seconds
        self._stalled = self._stalled or self.loop.call_later(patience, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read some."""
        self._go_on()
        super().resume_writing()

    def _go_on(self) -> None:
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None

    def data_received(self, data: bytes) -> None:
        """Some bytes, of one request or of several."""
        if self._refusal:
            return
        if self._arriving != "body":
            self._head += len(data)
        super().data_received(data)
        if self._arriving is None and self._is_idle():  # an empty line ahead of a request
            self._arriving, self._heard = "head", self.loop.time()
        if self._arriving == "head" and self._head > self.bounds.head and not self._refusal:
            self._refuse(*self._head_too_large())
        elif self._arriving and not self._refusal:
            if self._arriving == "body":
                self._heard = self.loop.time()
            self._wait()

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._arriving, self._heard = "head", self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Line and headers are there: are they within the bounds?"""
        bounds = self.bounds
        if len(self.url) > bounds.url:
            self._refusal = NotAccepted(
                414, "url-too-long", f"a URL has at most {bounds.url} bytes"
            )
        elif len(self.headers) > bounds.headers:
            self._refusal = NotAccepted(
                431, "too-many-headers", f"a request has at most {bounds.headers} headers"
            )
        elif self._head > bounds.head and self._size() > bounds.head:
            self._refusal = NotAccepted(*self._head_too_large())
        if self._refusal:
            raise self._refusal
        self._arriving, self._head, self._heard = "body", 0, self.loop.time()
        self._gathering.begin()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The whole request is there."""
        self._arriving = None
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """The answer to what is no HTTP, or beyond the bounds."""
        found = self._refusal or NotAccepted(400, "malformed-request", msg)
        self._refusal = found
        if not self.transport.is_closing():
            self.transport.write(_answer(found, self.extra))
            self.transport.close()

    def _size(self) -> int:
        """Of line and headers; what has arrived may hold part of a body, too."""
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _head_too_large(self) -> tuple[int, str, str]:
        detail = f"line and headers have at most {self.bounds.head} bytes"
        return 431, "headers-too-large", detail

    def _refuse(self, status: int, code: str, detail: str) -> None:
        self._refusal = NotAccepted(status, code, detail)
        self.send_400_response(detail)

    def _wait(self) -> None:
        """See to it that the rest comes in time."""
        if self._timer is None:
            self._timer = self.loop.call_later(self._patience(), self._look)

    def _patience(self) -> float:
        body = self._arriving == "body"
        return self.bounds.body_seconds if body else self.bounds.head_seconds

    def _look(self) -> None:
        self._timer = None
        if self._arriving is None or self._refusal:
            return
        left = self._heard + self._patience() - self.loop.time()
        if left > 0 or not self._is_asked():
            self._timer = self.loop.call_later(max(left, 0.1), self._look)
        elif self._arriving == "head" and not self._head:
            self.transport.close()  # nothing was ever asked
        elif self.cycle is not None and self.cycle.response_started:
            self.transport.close()
        else:
            self._refuse(408, "too-slow", "the request did not arrive in time: send it again")

    def _is_idle(self) -> bool:
        done = self.cycle is None or self.cycle.response_complete
        return done and not self.pipeline and self.timeout_keep_alive_task is None

    def _is_asked(self) -> bool:
        """Whether the client could send: the service may be the one that is not reading."""
        return not self.flow.read_paused


def _answer(found: NotAccepted, extra: bytes) -> bytes:
    phrase = HTTPStatus(found.status).phrase
    body = msgspec.json.encode(
        {
            "type": f"/problems/{found.code}",
            "title": phrase,
            "status": found.status,
            "detail": found.detail,
        }
    )
    again = b"retry-after: 1\r\n" if found.status == HTTPStatus.SERVICE_UNAVAILABLE else b""
    return b"HTTP/1.1 %d %s\r\n%s%s%s\r\n%s" % (
        found.status,
        phrase.encode(),
        b"content-type: application/problem+json\r\nconnection: close\r\ncontent-length: %d\r\n"
        % len(body),
        again,
        extra,
        body,
    )
