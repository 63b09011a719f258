"""One connection to the change feed: server-sent events (WHATWG HTML, section 9.2) to one person.

The only thing kept for it is its position. It ends when its caller may not go on, within seconds,
and at once when the service stops; the last position sent is where its client goes on.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from fastapi.sse import format_sse_event
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from aggregates.directory.scope import Scope as Leads
from api.access import require
from api.history_reads import ON_RECORD
from api.problems import Problem
from api.scoping import scope_for
from api.service import Service
from commands.caller import Principal
from commands.feed import Page, Shown, Wanted, feed_json, shown_to
from commands.ports import Unavailable

MEDIA_TYPE = "text/event-stream"
ACTION = "lead.read"
CHECK_SECONDS = 5.0
"""How often it is asked whether the caller may still read."""
PAUSE_SECONDS = 1.0
RETRY_MILLISECONDS = 2000
CHUNK_BYTES = 2**16
HEADERS = [
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy that holds events back until there are more of them
]


class Asked(NamedTuple):
    """What a connection is for: events behind `after`, up to `until` or without end."""

    after: int
    wanted: Wanted
    until: int | None


class FeedResponse(Response):
    """The answer that goes on."""

    media_type = MEDIA_TYPE

    def __init__(self, service: Service, request: Request, me: Principal, asked: Asked) -> None:
        super().__init__()
        self._service, self._me, self._asked = service, me, asked
        self._request = request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send until one side ends it. Who sees every lead is put on record first (R117)."""
        with self._service.feed_limits.one_more(self._me.name):
            if self._me.role in ON_RECORD:
                await self._service.readings.record_feed(self._me, self._asked.after)
            leads = await scope_for(self._service, self._me)
            with self._service.feed.follow(leads) if self._asked.until is None else nullcontext():
                await self._send_all(leads, receive, send)

    async def _send_all(self, leads: Leads, receive: Receive, send: Send) -> None:
        sender = asyncio.current_task()
        assert sender
        left = asyncio.create_task(_left(receive))
        left.add_done_callback(lambda task: None if task.cancelled() else sender.cancel())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            own = _Sender(self._service, self._request, self._me, leads, self._asked)
            async for chunk in own.chunks():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except asyncio.CancelledError:
            if not left.done() or sender.uncancel():
                raise
        finally:
            left.cancel()


@dataclass(slots=True)
class _Sender:
    """Turns pages of the log into what is sent."""

    service: Service
    request: Request
    me: Principal
    leads: Leads
    asked: Asked
    checked: float = 0.0

    async def chunks(self) -> AsyncIterator[bytes]:
        """Events, and in their absence a heartbeat with the position that they have got to."""
        after, until = self.asked.after, self.asked.until
        yield _frame(id=str(after), retry=RETRY_MILLISECONDS)
        self.checked = said = time.monotonic()
        while until is None or after < until:
            if why := await self._over():
                yield _frame(event="end", data_str=_json({"reason": why}))
                return
            page = await self._next(after)
            if page:
                for chunk in _in_pieces(self._frames(page, after)):
                    yield chunk
                    said = time.monotonic()
                after = page.upto
            if time.monotonic() - said >= self.service.feed_limits.heartbeat:
                yield _frame(comment="", id=str(after))
                said = time.monotonic()

    async def _next(self, after: int) -> Page | None:
        feed, until = self.service.feed, self.asked.until
        patience = min(CHECK_SECONDS, self.service.feed_limits.heartbeat)
        try:
            if until is None and not await feed.news(after, patience):
                return None
            return await feed.page(after, self.asked.wanted, self.leads, fresh=until is not None)
        except Unavailable:
            await asyncio.sleep(PAUSE_SECONDS)
            return None

    async def _over(self) -> str | None:
        """Why it is over, if it is: the caller may not go on, or the service stops."""
        if self.service.feed.ended:
            return "the service stops: come again"
        try:
            if time.monotonic() - self.checked >= CHECK_SECONDS:
                self.checked = time.monotonic()
                headers = dict(self.request.scope["headers"])
                self.me = await self.service.doorkeeper.remain(headers)
                require(self.me, ACTION)
            self.leads = await scope_for(self.service, self.me)
        except Problem as problem:
            return problem.detail
        except Unavailable:
            pass  # nothing new is read meanwhile either
        return None

    def _frames(self, page: Page, after: int) -> Iterator[bytes]:
        until = self.asked.until
        for shown in shown_to(page, self.leads, self.asked.wanted, after):
            if until is None or shown.told.recorded.position <= until:
                yield self._frame_of(page, shown)

    def _frame_of(self, page: Page, shown: Shown) -> bytes:
        """Made once for all who may see the same."""
        place = shown.told.recorded.position, frozenset(shown.others)
        if place not in page.shared:
            page.shared[place] = _frame(
                event=shown.told.topic,
                data_str=_json(feed_json(shown, page, self.service.zone)),
                id=str(shown.told.recorded.position),
            )
        return page.shared[place]


async def _left(receive: Receive) -> None:
    """Return once the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _in_pieces(frames: Iterator[bytes]) -> Iterator[bytes]:
    """Few large pieces instead of many small ones, none larger than need be."""
    piece = b""
    for frame in frames:
        piece += frame
        if len(piece) >= CHUNK_BYTES:
            yield piece
            piece = b""
    if piece:
        yield piece


def _frame(**parts: Any) -> bytes:
    return format_sse_event(**parts)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
