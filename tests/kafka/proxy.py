"""A TCP proxy before a broker: it holds back acknowledgements, and tells when events pass."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from contextlib import suppress

from adapters.kafka.local import LocalKafka
from tests.proxy import Pipe, Proxy, Way

PRODUCE = 0
"""The key of the request that brings events (Kafka's protocol guide)."""


def nothing() -> None:
    """What is done when nothing is to be done."""


class BrokerProxy(Proxy):
    """While its block runs, `bootstrap` leads to the broker.

    `before` is called when a request with events has come and is not yet sent on, `after` when the
    broker's answer to it has come and is not yet sent back; what they raise cuts the connection
    there. While `swallows`, answers to such requests are not sent back at all.
    """

    def __init__(self, kafka: LocalKafka) -> None:
        port, self._to = kafka.proxies[0]
        super().__init__(port)
        self.bootstrap = f"127.0.0.1:{port}"
        self.before: Callable[[], object] = nothing
        self.after: Callable[[], object] = nothing
        self.swallows = False
        self.swallowed: list[object] = []
        """The connections whose answers were."""

    async def _reach(self) -> tuple[StreamReader, StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._to)

    def _ways(self, there: Pipe, back: Pipe) -> tuple[Way, Way]:
        awaited: set[bytes] = set()
        return self._requests(*there, awaited), self._answers(*back, awaited)

    async def _requests(
        self, client: StreamReader, to_broker: StreamWriter, awaited: set[bytes]
    ) -> None:
        while request := await _frame(client):
            if int.from_bytes(request[4:6]) == PRODUCE:
                awaited.add(request[8:12])  # the number that the answer begins with
                await asyncio.to_thread(self.before)
            to_broker.write(request)
            await to_broker.drain()

    async def _answers(
        self, broker: StreamReader, to_client: StreamWriter, awaited: set[bytes]
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


async def _frame(reader: StreamReader) -> bytes:
    """A request or an answer with the length before it; b"" at the end."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        length = await reader.readexactly(4)
        return length + await reader.readexactly(int.from_bytes(length))
    return b""
