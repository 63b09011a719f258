"""A closed-loop HTTP client in a process of its own: as little work per request as possible.

Reads a `Load` as JSON on stdin, keeps its connections busy, writes a `Result` as JSON on stdout.
Command number n moves lead n mod L to its next stage, so that every command changes something.
"""

import asyncio
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import count
from typing import cast
from uuid import uuid4

import msgspec
import uvloop

from bench.history import STAGES

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
REQUEST = (
    "POST %(path)s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    "%(headers)sIdempotency-Key: %(key)s\r\nContent-Length: %(length)d\r\n\r\n"
)


@dataclass(frozen=True)
class Load:
    """`path` has `{lead}` in it; `first` = the number of commands these leads have had."""

    port: int
    path: str
    leads: list[str]
    headers: dict[str, str]
    first: int = 0
    seconds: float = 5.0
    connections: int = 32


@dataclass(frozen=True)
class Result:
    """What was answered, all of it with 2xx; latencies in milliseconds."""

    commands: int
    p50: float
    p99: float


def put_on(load: Load) -> Result:
    """Put a load on a service from another process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=msgspec.json.encode(load), stdout=subprocess.PIPE, check=True,
        timeout=load.seconds + 60,
    )  # fmt: skip
    return msgspec.json.decode(done.stdout, type=Result)


class _Requests:
    """The requests of a run as bytes, and when to stop."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in load.headers.items())
        self._bodies = [msgspec.json.encode({"stage": stage}) for stage in STAGES]
        self._numbers = count(load.first)
        self._stop = time.perf_counter() + load.seconds
        self.latencies: list[float] = []

    def next(self) -> bytes | None:
        """None when the time is over."""
        if time.perf_counter() >= self._stop:
            return None
        turn, lead = divmod(next(self._numbers), len(self._load.leads))
        body = self._bodies[turn % len(self._bodies)]
        head = REQUEST % {
            "path": self._load.path.format(lead=self._load.leads[lead]),
            "headers": self._headers,
            "key": uuid4().hex,
            "length": len(body),
        }
        return head.encode() + body


class _Connection(asyncio.Protocol):
    """The next request goes out when the answer to the last one is in."""

    def __init__(self, requests: _Requests) -> None:
        self._requests = requests
        self._answer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        end = self._answer.find(b"\r\n\r\n")
        length = LENGTH.search(self._answer, 0, end) if end >= 0 else None
        if length is None or len(self._answer) < end + 4 + int(length[1]):
            return
        self._requests.latencies.append(time.perf_counter() - self._sent_at)
        if self._answer.startswith(b"HTTP/1.1 2"):
            self._answer = b""
            self._send()
        else:
            self._end(AssertionError(self._answer.decode()))

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionError("the service closed the connection"))

    def _send(self) -> None:
        request = self._requests.next()
        self._sent_at = time.perf_counter()
        if request:
            self._transport.write(request)
        else:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        if not self.done.done():
            self._transport.close()
            self.done.set_exception(error) if error else self.done.set_result(None)


async def _run(load: Load) -> Result:
    loop = asyncio.get_running_loop()
    requests = _Requests(load)
    made = [
        await loop.create_connection(lambda: _Connection(requests), "127.0.0.1", load.port)
        for _ in range(load.connections)
    ]
    await asyncio.gather(*(connection.done for _, connection in made))
    cuts = statistics.quantiles(requests.latencies, n=100)
    return Result(len(requests.latencies), cuts[49] * 1000, cuts[98] * 1000)


if __name__ == "__main__":
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(order))))
