"""A TCP proxy before PostgreSQL that loses replies: it cuts where a marked statement passes."""

import asyncio
import threading
from types import TracebackType
from typing import Self

from psycopg.conninfo import conninfo_to_dict, make_conninfo

PIECE = 65_536


class LossyProxy:
    """While its block runs, `dsn` leads to the database of `behind`."""

    def __init__(self, behind: str) -> None:
        self._behind = conninfo_to_dict(behind)
        self._doomed: dict[bytes, float | None] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lossy-proxy")
        self.cuts = 0

    def doom(self, mark: str, *, pause: float | None) -> None:
        """The next statement with `mark` reaches the server, its reply does not come back.

        The connection is cut `pause` seconds after the statement went on; None = when its reply
        comes, so that it has been committed for certain.
        """
        self._doomed[mark.encode()] = pause

    def __enter__(self) -> Self:
        self._thread.start()
        opening = asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(opening, self._loop).result()
        port = self._server.sockets[0].getsockname()[1]
        self.dsn = make_conninfo(**{**self._behind, "host": "127.0.0.1", "port": port})
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
        self._server.close()
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _connected(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        server, to_server = await asyncio.open_connection(
            str(self._behind["host"]), int(self._behind["port"] or 5432)
        )
        cut = asyncio.Event()
        ways = [
            asyncio.create_task(self._statements(client, to_server, cut)),
            asyncio.create_task(self._replies(server, to_client, cut)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (to_client, to_server):
                end.transport.abort()

    async def _statements(
        self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, cut: asyncio.Event
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
        self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        while data := await server.read(PIECE):
            if cut.is_set():
                return
            to_client.write(data)
            await to_client.drain()
