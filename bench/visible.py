"""S4: from an accepted command to its being visible in the reports, at 300 commands a second.

A command is visible when every projection's checkpoint has passed its position: the next report,
of whatever name, reflects it. Measured from the arrival of the answer, the checkpoints being
looked at every 5 ms, with the service and its worker running beside each other.
"""

import asyncio
import re
import statistics
import time
from collections.abc import Iterator
from itertools import count
from uuid import uuid4

import msgspec
import psycopg
import uvloop

from bench import services
from bench.harness import Figure, Server
from bench.history import STAGES
from bench.http import capture

RATE = 300
SECONDS = 10.0
WARM_UP = 2.0
LEADS = 1_000
CONNECTIONS = 32
LOOK_SECONDS = 0.005
REFLECTED = "SELECT min(position) FROM projection.builds WHERE state = 'live'"
POSITION = re.compile(rb"leadlog-position: *(\d+)", re.IGNORECASE)
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def run(server: Server, rounds: int) -> list[Figure]:
    """p50 and p99 of all rounds' medians, in milliseconds."""
    dsn = server.database()
    leads = asyncio.run(capture(dsn, LEADS))
    with services.leadlog(dsn) as (_, port):
        watch = _Watch(dsn, port, leads, services.administrator(dsn))
        uvloop.run(watch.run(WARM_UP))
        cuts = [statistics.quantiles(uvloop.run(watch.run(SECONDS)), n=100) for _ in range(rounds)]
    p50, p99 = (statistics.median(cut[n] for cut in cuts) * 1000 for n in (49, 98))
    return [
        Figure(
            "S4", f"accepted command -> visible in every report, at {RATE} commands/s",
            f"p50 {p50:.0f} ms, p99 {p99:.0f} ms", "-", None,
            "p50 <= 30 ms, p99 <= 150 ms", p50 <= 30 and p99 <= 150,
        )
    ]  # fmt: skip


class _Watch:
    """Sends commands at a steady rate and watches the checkpoints follow."""

    def __init__(self, dsn: str, port: int, leads: list[str], headers: dict[str, str]) -> None:
        self._dsn, self._port = dsn, port
        self._head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._requests = self._all_requests(leads)
        self._answered: list[tuple[int, float]] = []

    async def run(self, seconds: float) -> list[float]:
        """Seconds between answer and visibility, of each command."""
        begin, turns, over = time.perf_counter(), count(), asyncio.Event()
        watching = asyncio.create_task(self._watch(over))
        await asyncio.gather(*(self._client(begin, turns, seconds) for _ in range(CONNECTIONS)))
        over.set()
        return await watching

    async def _client(self, begin: float, turns: "count[int]", seconds: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while (at := next(turns) / RATE) < seconds:
            await asyncio.sleep(begin + at - time.perf_counter())
            writer.write(next(self._requests))
            head = await reader.readuntil(b"\r\n\r\n")
            position, length = POSITION.search(head), LENGTH.search(head)
            assert position, head
            assert length, head
            await reader.readexactly(int(length[1]))
            self._answered.append((int(position[1]), time.perf_counter()))
        writer.close()

    async def _watch(self, over: asyncio.Event) -> list[float]:
        """Looks until the last command is visible."""
        delays: list[float] = []
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as conn:
            while self._answered or not over.is_set():
                cursor = await conn.execute(REFLECTED, prepare=True)
                row, now = await cursor.fetchone(), time.perf_counter()
                assert row is not None
                seen = [at for position, at in self._answered if position <= row[0]]
                delays += [max(now - at, 0.0) for at in seen]
                self._answered = [item for item in self._answered if item[0] > row[0]]
                await asyncio.sleep(LOOK_SECONDS)
        return delays

    def _all_requests(self, leads: list[str]) -> Iterator[bytes]:
        bodies = [msgspec.json.encode({"stage": stage}) for stage in STAGES]
        for n in count():
            turn, lead = divmod(n, len(leads))
            body = bodies[turn % len(bodies)]
            head = (
                f"POST /v1/leads/{leads[lead]}:advance HTTP/1.1\r\nHost: 127.0.0.1\r\n{self._head}"
                f"Idempotency-Key: {uuid4().hex}\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            yield head.encode() + body
