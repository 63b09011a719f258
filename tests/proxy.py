"""TCP proxies before a server, for tests that cut connections or hold answers back."""

import asyncio
import threading
from abc import ABC, abstractmethod
from asyncio import StreamReader, StreamWriter
from collections.abc import Coroutine
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

PIECE = 65_536
Pipe = tuple[StreamReader, StreamWriter]
"""What comes in from one end, and where it goes."""
Way = Coroutine[Any, Any, None]


class Proxy(ABC):
    """Between clients and a server, while its block runs; `port` is where it listens (0 = a free
    one). Whichever of the two ways ends first ends the connection.
    """

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._over = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        opening = asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self._server = asyncio.run_coroutine_threadsafe(opening, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        """Nothing is cancelled, and nobody is being let in when the server closes: asyncio would
        never close such a connection.
        """
        self._over.set()
        while under_way := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(under_way)
        self._server.close()

    async def _connected(self, client: StreamReader, to_client: StreamWriter) -> None:
        with ExitStack() as ends:
            ends.callback(to_client.transport.abort)
            server, to_server = await self._reach()
            ends.callback(to_server.transport.abort)
            both = self._ways((client, to_server), (server, to_client))
            ways = [asyncio.create_task(way) for way in (*both, self._over.wait())]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    @abstractmethod
    async def _reach(self) -> tuple[StreamReader, StreamWriter]:
        """A connection to the server."""

    @abstractmethod
    def _ways(self, there: Pipe, back: Pipe) -> tuple[Way, Way]:
        """What passes on, from the client to the server and back."""


class LossyProxy(Proxy):
    """While its block runs, `dsn` leads to the database of `behind`. It loses replies: it cuts
    where a marked statement passes.
    """

    def __init__(self, behind: str) -> None:
        super().__init__()
        self._behind = conninfo_to_dict(behind)
        self._doomed: dict[bytes, float | None] = {}
        self.cuts = 0

    @property
    def dsn(self) -> str:
        """Where to connect."""
        return make_conninfo(**{**self._behind, "host": "127.0.0.1", "port": self.port})

    def doom(self, mark: str, *, pause: float | None) -> None:
        """The next statement with `mark` reaches the server, its reply does not come back.

        The connection is cut `pause` seconds after the statement went on; None = when its reply
        comes, so that it has been committed for certain.
        """
        self._doomed[mark.encode()] = pause

    async def _reach(self) -> tuple[StreamReader, StreamWriter]:
        port = int(self._behind["port"] or 5432)
        return await asyncio.open_connection(str(self._behind["host"]), port)

    def _ways(self, there: Pipe, back: Pipe) -> tuple[Way, Way]:
        cut = asyncio.Event()
        return self._statements(*there, cut), self._replies(*back, cut)

    async def _statements(
        self, client: StreamReader, to_server: StreamWriter, cut: asyncio.Event
    ) -> None:
        while data := await client.read(PIECE):
            mark = next((m for m in self._doomed if m in data), None)
            pause = self._doomed.pop(mark) if mark else None
            if mark:
                self.cuts += 1
                cut.set()
            to_server.write(data)
            await to_server.drain()
            if pause is not None:
                await asyncio.sleep(pause)
                return

    async def _replies(
        self, server: StreamReader, to_client: StreamWriter, cut: asyncio.Event
    ) -> None:
        while data := await server.read(PIECE):
            if cut.is_set():
                return
            to_client.write(data)
            await to_client.drain()
