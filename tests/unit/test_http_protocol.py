"""The head of an answer leaves with its body, in one piece."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any

import pytest
import uvloop
from starlette.responses import PlainTextResponse
from uvicorn import Config
from uvicorn.server import ServerState

from adapters.access_settings import AccessSettings
from adapters.http_protocol import Gathering, bounded

Scene = Callable[[Gathering, asyncio.Transport, socket.socket], Awaitable[None]]


class _Noting:
    """Passes on to a transport, and notes what it was told to send."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _run(scene: Scene) -> None:
    """A scene with a transport of the loop that `serve` runs on, and the other end of it."""

    async def played() -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        there.setblocking(False)
        with closing(there):
            transport, _ = await loop.create_connection(asyncio.Protocol, sock=here)
            await scene(Gathering(transport, loop), transport, there)
            transport.abort()

    uvloop.run(asyncio.wait_for(played(), timeout=60))


def test_head_and_body_leave_together_and_soon() -> None:
    async def scene(gathering: Gathering, _: asyncio.Transport, there: socket.socket) -> None:
        for turn in (b"1", b"2"):
            gathering.begin()
            gathering.write(b"head " + turn)
            with pytest.raises(BlockingIOError):
                there.recv(100)
            gathering.write(b" body " + turn)
            assert there.recv(100) == b"head " + turn + b" body " + turn
            gathering.write(b"more")
            assert there.recv(100) == b"more"

    _run(scene)


def test_a_head_waits_for_nothing_that_may_come_some_day() -> None:
    """Nor for another head, as of a client that does not wait for its answers."""

    async def scene(gathering: Gathering, _: asyncio.Transport, there: socket.socket) -> None:
        for head in (b"one", b"two"):
            gathering.begin()
            gathering.write(head)
        assert there.recv(100) == b"one"
        await asyncio.sleep(0)
        assert there.recv(100) == b"two"

    _run(scene)


def test_an_end_loses_nothing_that_was_written() -> None:
    async def scene(gathering: Gathering, _: asyncio.Transport, there: socket.socket) -> None:
        gathering.begin()
        gathering.write(b"the last words")
        gathering.close()
        assert gathering.is_closing()
        loop = asyncio.get_running_loop()
        assert await loop.sock_recv(there, 100) == b"the last words"
        assert await loop.sock_recv(there, 100) == b""

    _run(scene)


def test_nothing_goes_to_a_client_who_has_gone() -> None:
    async def scene(
        gathering: Gathering, transport: asyncio.Transport, there: socket.socket
    ) -> None:
        wrong: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: wrong.append(context))
        transport.abort()
        assert await loop.sock_recv(there, 100) == b""
        gathering.begin()
        gathering.write(b"too late")
        await asyncio.sleep(0)
        assert not wrong

    _run(scene)


def test_that_is_how_the_service_answers() -> None:
    """The protocol of `serve`, with a small application behind it."""

    async def played() -> None:
        config = Config(PlainTextResponse("body"), lifespan="off", log_config=None)
        config.load()
        protocol = bounded(AccessSettings(), ())(config, ServerState(), {})
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        there.setblocking(False)
        with closing(there):
            transport, _ = await loop.create_connection(lambda: protocol, sock=here)
            sent = protocol._gathering._transport = _Noting(transport)
            await loop.sock_sendall(there, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            heard = await loop.sock_recv(there, 10_000)
            assert heard.endswith(b"\r\n\r\nbody")
            assert sent.pieces == [heard]
            transport.abort()

    uvloop.run(asyncio.wait_for(played(), timeout=60))
