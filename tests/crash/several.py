"""Several processes of leadlog on one database: each real, by its name, with what it has said."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psycopg

from adapters.postgres.leases import PROCESS, PROJECTION
from tests.crash.load import Load

STOP_SECONDS = 60
FEW = 3
"""Clients: four processes share the machine with them."""
# Who holds which lease of this database.
HELD = (
    "SELECT l.classid::bigint, l.objid::bigint, a.application_name"
    " FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = ANY(%s)"
    " AND a.datname = current_database()"
)
KEYS = (
    "SELECT kind, hashtext(name)::bigint & 4294967295"
    " FROM unnest(%s::bigint[], %s::text[]) l (kind, name)"
)
BEHIND = (
    "SELECT notification_id FROM log.leadlog_events WHERE notification_id > %s"
    " ORDER BY notification_id LIMIT 1000"
)


class Process:
    """`leadlog` with these arguments; PostgreSQL knows its connections by its name."""

    def __init__(self, name: str, log: Path, environment: Mapping[str, str], *call: str) -> None:
        self.name = name
        self._log = log
        self._environment = os.environ | environment | {"PGAPPNAME": name}
        self._command = [sys.executable, "-m", "adapters.cli", *call]
        self.start()

    def start(self) -> None:
        """It may not be ready yet."""
        with self._log.open("a") as log:
            self._running = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """SIGKILL."""
        self._running.kill()
        self._running.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._running.terminate()
        return self._running.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.kill()


class Alternately(httpx.AsyncBaseTransport):
    """Sends each request to the next service, as a proxy in front of them does."""

    def __init__(self, urls: Iterable[str]) -> None:
        self._urls = [httpx.URL(url) for url in urls]
        self._transport = httpx.AsyncHTTPTransport()
        self._sent = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._sent += 1
        to = self._urls[self._sent % len(self._urls)]
        request.url = request.url.copy_with(host=to.host, port=to.port)
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._transport.aclose()


@dataclass
class SpreadLoad(Load):
    """A load on several services: clients, and each try of theirs, go to either."""

    urls: tuple[str, ...] = ()

    async def _run(self) -> None:
        async with httpx.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=15,
            transport=Alternately(self.urls),
        ) as http:
            await asyncio.gather(*(self._client(http) for _ in range(FEW)))


class Tail:
    """Reads on at the end of the log as every consumer does: behind the last position seen."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._stop = threading.Event()
        self.seen, self.skipped = 0, list[int]()

    def run(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as conn:
            while not self._stop.wait(0.002):
                for (position,) in conn.execute(BEHIND, (self.seen,)):
                    if position != self.seen + 1:
                        self.skipped.append(position)
                    self.seen = position

    def stop(self) -> None:
        self._stop.set()


def holders(conn: psycopg.Connection[Any]) -> dict[tuple[int, int], str]:
    """Each lease with its holder's name; that two hold one fails here."""
    rows = conn.execute(HELD, ([PROJECTION, PROCESS],)).fetchall()
    found = {(kind, name): who for kind, name, who in rows}
    assert len(found) == len(rows), rows
    return found


def connected(conn: psycopg.Connection[Any], processes: Iterable[Process]) -> set[str]:
    """Which of the processes have a connection to the database, by name."""
    query = (
        "SELECT DISTINCT application_name FROM pg_stat_activity WHERE application_name = ANY(%s)"
    )
    return {name for (name,) in conn.execute(query, ([p.name for p in processes],))}
