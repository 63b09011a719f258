"""A TCP proxy before a broker: it holds back acknowledgements, and tells when events pass."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from adapters.kafka.local import LocalKafka

PRODUCE = 0
"""The key of the request that brings events (Kafka's protocol guide)."""


def nothing() -> None:
    """What is done when nothing is to be done."""


class BrokerProxy:
    """While its block runs, `bootstrap` leads to the broker.

    `before` is called when a request with events has come and is not yet sent on, `after` when the
    broker's answer to it has come and is not yet sent back; what they raise cuts the connection
    there. While `swallows`, answers to such requests are not sent back at all.
    """

    def __init__(self, kafka: LocalKafka) -> None:
        self._port, self._to = kafka.proxies[0]
        self.bootstrap = f"127.0.0.1:{self._port}"
        self.before: Callable[[], object] = nothing
        self.after: Callable[[], object] = nothing
        self.swallows = False
        self.swallowed: list[object] = []
        """The connections whose answers were."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="broker-proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        opening = asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self._server = asyncio.run_coroutine_threadsafe(opening, self._loop).result()
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
        broker, to_broker = await asyncio.open_connection("127.0.0.1", self._to)
        awaited: set[bytes] = set()
        ways = [
            asyncio.create_task(self._requests(client, to_broker, awaited)),
            asyncio.create_task(self._answers(broker, to_client, awaited)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (to_client, to_broker):
                end.transport.abort()

    async def _requests(
        self, client: asyncio.StreamReader, to_broker: asyncio.StreamWriter, awaited: set[bytes]
    ) -> None:
        while request := await _frame(client):
            if int.from_bytes(request[4:6]) == PRODUCE:
                awaited.add(request[8:12])  # the number that the answer begins with
                await asyncio.to_thread(self.before)
            to_broker.write(request)
            await to_broker.drain()

    async def _answers(
        self, broker: asyncio.StreamReader, to_client: asyncio.StreamWriter, awaited: set[bytes]
    ) -> None:
        while answer := await _frame(broker):
            if answer[4:8] in awaited:
                awaited.discard(answer[4:8])
                await asyncio.to_thread(self.after)
                if self.swallows:
                    self.swallowed.append(to_client)
                    continue
            to_client.write(answer)
            await to_client.drain()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """A request or an answer with the length before it; b"" at the end."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        length = await reader.readexactly(4)
        return length + await reader.readexactly(int.from_bytes(length))
    return b""
