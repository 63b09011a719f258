"""What is written in one turn of the event loop leaves in one piece."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing

import pytest
import uvloop
from starlette.responses import PlainTextResponse
from uvicorn import Config
from uvicorn.server import ServerState

from adapters.access_settings import AccessSettings
from adapters.http_protocol import MOST_GATHERED, Gathering, bounded

Scene = Callable[[Gathering, asyncio.Transport, socket.socket], Awaitable[None]]


class _Client(asyncio.Protocol):
    """Notes whether it was asked to wait."""

    is_paused = False

    def pause_writing(self) -> None:
        self.is_paused = True


def _run(scene: Scene) -> None:
    """A scene with a transport of the loop that `serve` runs on, and the other end of it."""

    async def played() -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        there.setblocking(False)
        with closing(there):
            transport, _ = await loop.create_connection(_Client, sock=here)
            await scene(Gathering(transport, loop), transport, there)
            transport.abort()

    uvloop.run(asyncio.wait_for(played(), timeout=60))


def test_head_and_body_leave_together_and_soon() -> None:
    async def scene(gathering: Gathering, _: asyncio.Transport, there: socket.socket) -> None:
        for turn in (b"1", b"2"):
            gathering.write(b"head " + turn)
            gathering.writelines([b" body ", turn])
            with pytest.raises(BlockingIOError):
                there.recv(100)
            await asyncio.sleep(0)
            assert there.recv(100) == b"head " + turn + b" body " + turn

    _run(scene)


def test_who_does_not_read_is_noticed_within_the_turn() -> None:
    async def scene(gathering: Gathering, transport: asyncio.Transport, _: socket.socket) -> None:
        client = transport.get_protocol()
        assert isinstance(client, _Client)
        for _megabyte in range(64):
            for _piece in range(16):
                gathering.write(b"x" * MOST_GATHERED)
            if client.is_paused:
                return
        raise AssertionError("64 MB wait in memory, and nobody was told")

    _run(scene)


def test_an_end_loses_nothing_that_was_written() -> None:
    async def scene(gathering: Gathering, _: asyncio.Transport, there: socket.socket) -> None:
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
            assert isinstance(protocol.transport, Gathering)
            await loop.sock_sendall(there, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            heard = await loop.sock_recv(there, 10_000)
            assert heard.endswith(b"\r\n\r\nbody")
            transport.abort()

    uvloop.run(asyncio.wait_for(played(), timeout=60))
