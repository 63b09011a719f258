"""What is written in one turn of the event loop leaves in one piece."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import closing

import pytest
import uvloop

from adapters.http_protocol import Gathering

Scene = Callable[[Gathering, asyncio.Transport, socket.socket], Awaitable[None]]


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
            gathering.write(b"head " + turn)
            gathering.write(b" body " + turn)
            with pytest.raises(BlockingIOError):
                there.recv(100)
            await asyncio.sleep(0)
            assert there.recv(100) == b"head " + turn + b" body " + turn

    _run(scene)


def test_an_end_loses_nothing_that_was_written() -> None:
    async def scene(gathering: Gathering, _: asyncio.Transport, there: socket.socket) -> None:
        gathering.write(b"the last words")
        gathering.close()
        assert gathering.is_closing()
        await asyncio.sleep(0.01)
        assert there.recv(100) == b"the last words"
        assert there.recv(100) == b""

    _run(scene)


def test_nothing_goes_to_a_client_who_has_gone() -> None:
    async def scene(gathering: Gathering, transport: asyncio.Transport, _: socket.socket) -> None:
        wrong: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: wrong.append(context))
        transport.abort()
        await asyncio.sleep(0.01)
        gathering.write(b"too late")
        await asyncio.sleep(0.01)
        assert not wrong

    _run(scene)
