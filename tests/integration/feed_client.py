"""A client of the change feed over a socket of its own, cheap enough for a thousand of them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Sent(NamedTuple):
    """One server-sent event; a heartbeat has neither name nor data."""

    id: str | None
    event: str | None
    data: Any


def parsed(text: str) -> Iterator[Sent]:
    """The events in a text (WHATWG HTML, section 9.2.6), with those that only set the position."""
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] not in ":")
        if fields:
            data = json.loads(fields["data"]) if "data" in fields else None
            yield Sent(fields.get("id"), fields.get("event"), data)


def told(text: str) -> list[Sent]:
    """Those that say something."""
    return [sent for sent in parsed(text) if sent.event]


class Following:
    """An open connection; `status` of the answer, its `head`, and what it sends."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._left = b""
        self.head = ""
        self.last: str | None = None

    @classmethod
    async def open(
        cls, url: str, token: str, query: str = "", *, last: str | None = None, buffer: int = 2**16
    ) -> "Following":
        """Ask for the feed and wait for the head of the answer."""
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=buffer)
        own = cls(reader, writer)
        resumed = f"Last-Event-ID: {last}\r\n" if last else ""
        writer.write(
            f"GET /v1/events?{query} HTTP/1.1\r\nHost: leadlog\r\n{resumed}"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        own.head = (await reader.readuntil(b"\r\n\r\n")).decode()
        return own

    @property
    def status(self) -> int:
        """Of the answer."""
        return int(self.head.split()[1])

    async def sent(self) -> AsyncIterator[Sent]:
        """Everything until the connection ends; `last` is the position got to."""
        async for block in self._blocks():
            for sent in parsed(block):
                self.last = sent.id or self.last
                yield sent

    async def events(self, number: int) -> list[Sent]:
        """The next so many events."""
        found: list[Sent] = []
        async for sent in self.sent():
            found += [sent] if sent.event else []
            if len(found) == number:
                break
        return found

    async def raw_events(self, number: int) -> list[bytes]:
        """The same as they came: a thousand clients share two processors with the service."""
        found: list[bytes] = []
        while len(found) < number:
            *blocks, self._left = (self._left + await self._chunk()).split(b"\n\n")
            found += [block for block in blocks if block.startswith(b"event: ")]
        return found

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    async def _blocks(self) -> AsyncIterator[str]:
        while True:
            while b"\n\n" in self._left:
                block, self._left = self._left.split(b"\n\n", 1)
                yield block.decode()
            chunk = await self._chunk()
            if not chunk:
                return
            self._left += chunk

    async def _chunk(self) -> bytes:
        """A piece of the body (RFC 9112, section 7.1); nothing at its end."""
        size = int((await self._reader.readline()).strip() or b"0", 16)
        return (await self._reader.readexactly(size + 2))[:-2] if size else b""
