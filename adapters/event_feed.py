"""The change feed of one process: the log is read once for all who follow its end.

What was read in the last seconds is kept, bounded by number and by age. Whoever is further behind,
because they come from an earlier position or read slowly, is caught up by pages of the database at
their own pace: a slow reader costs nobody else anything, and nothing waits in memory for them. What
is kept is young, so that scopes and erasures count here as soon as anywhere.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import PoolTimeout

from adapters.event_feed_pages import read_page
from adapters.keyring import LostKeyError
from adapters.postgres import leases, log_reader
from adapters.postgres.leases import Pauses
from adapters.postgres.pools import question_pool
from aggregates.directory.scope import Scope
from commands.feed import ALL, Page, Wanted
from commands.ports import Unavailable

T = TypeVar("T")

logger = logging.getLogger("leadlog.feed")

ROLE = "leadlog_projector"
CONNECTIONS = 2
LONGEST_QUESTION = "10s"
KEPT_PAGES = 50
KEPT_READINGS = 16
KEPT_SECONDS = 3.0
PACE_SECONDS = 100e-6
"""Times those who follow: so long news is gathered, for waking everybody takes about a third."""


class PostgresFeed:
    """Implements `EventFeed`. The tail is read while somebody follows."""

    def __init__(self, dsn: str, *, patience: float = 5.0) -> None:
        self._dsn, self._patience = dsn, patience
        self._pool = question_pool(dsn, ROLE, most=CONNECTIONS, longest=LONGEST_QUESTION)
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._kept: deque[tuple[float, Page]] = deque(maxlen=KEPT_PAGES)
        self._read_by: dict[tuple[int, Wanted, bool], tuple[float, asyncio.Task[Page]]] = {}
        self._position = 0
        self._change: asyncio.Future[None] | None = None
        self._tail: asyncio.Task[None] | None = None
        self._following = self._limited = 0
        self.ended = False

    async def head(self) -> int:
        """The last position of the log."""
        return await self._ask(log_reader.head)

    @contextmanager
    def follow(self, scope: Scope) -> Iterator[None]:
        """Read the tail for somebody; with its leads for one who may not see them all."""
        limited = not scope.everything
        self._following += 1
        self._limited += limited
        if self._tail is None or self._tail.done():
            self._tail = asyncio.create_task(self._read_tail())
        try:
            yield
        finally:
            self._following -= 1
            self._limited -= limited

    async def news(self, after: int, seconds: float) -> bool:
        """Wait until the tail is behind a position."""
        if self._position <= after and not self.ended:
            await asyncio.wait({self._next_change()}, timeout=seconds)
        return self._position > after

    async def page(self, after: int, wanted: Wanted, scope: Scope, *, fresh: bool = False) -> Page:
        """Out of what is kept, or else of the database."""
        with_leads = not scope.everything
        if fresh:
            return await self._ask(read_page, after, wanted, with_leads=with_leads)
        youngest = time.monotonic() - KEPT_SECONDS
        for at, page in reversed(self._kept):
            if at < youngest or page.upto <= after:
                break
            if page.after <= after and (page.leads is not None or not with_leads):
                return page
        return await self._read(after, wanted, with_leads=with_leads)

    def end(self) -> None:
        """Have everybody leave."""
        self.ended = True
        self._tell()

    async def close(self) -> None:
        """Stop reading."""
        self.end()
        if self._tail:
            self._tail.cancel()
            await asyncio.gather(self._tail, return_exceptions=True)
        await asyncio.to_thread(self._pool.close)

    async def _read(self, after: int, wanted: Wanted, *, with_leads: bool) -> Page:
        """A page of the database: many who fell behind together read it once."""
        place, now = (after, wanted, with_leads), time.monotonic()
        begun, reading = self._read_by.get(place, (0.0, None))
        if reading is None or begun < now - KEPT_SECONDS or _is_spent(reading, after):
            reading = asyncio.create_task(
                self._ask(read_page, after, wanted, with_leads=with_leads)
            )
            while len(self._read_by) >= KEPT_READINGS:
                del self._read_by[next(iter(self._read_by))]
            self._read_by[place] = now, reading
        return await asyncio.shield(reading)

    async def _read_tail(self) -> None:
        """Follow the log for as long as somebody follows it here, through lost connections."""
        pauses = Pauses()
        while self._following:
            pauses.begin()
            try:
                self._position = max(self._position, await self.head())
                self._tell()
                async with await _ears(self._dsn) as ears:
                    await self._listen(ears)
            except Exception as error:
                pause = pauses.next()
                defect = not isinstance(error, psycopg.Error | Unavailable)
                said = "the change feed stands still, again in %.1f s: %s"
                logger.warning(said, pause, error, exc_info=defect)
                await asyncio.sleep(pause)
        self._kept.clear()

    async def _listen(self, ears: AsyncConnection[tuple[Any, ...]]) -> None:
        """NOTIFY is only a hint to look early."""
        await ears.execute("LISTEN leadlog_events")
        while self._following:
            page = await self._ask(read_page, self._position, ALL, with_leads=self._limited > 0)
            if page.upto > self._position:
                self._kept.append((time.monotonic(), page))
                self._position = page.upto
                self._tell()
                await asyncio.sleep(self._following * PACE_SECONDS)
                continue
            async for _ in ears.notifies(timeout=leases.POLL_SECONDS, stop_after=1):
                pass

    def _next_change(self) -> "asyncio.Future[None]":
        if self._change is None:
            self._change = asyncio.get_running_loop().create_future()
        return self._change

    def _tell(self) -> None:
        change, self._change = self._change, None
        if change and not change.done():
            change.set_result(None)

    async def _ask(self, question: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        async with self._turns:
            return await asyncio.to_thread(self._answer, question, args, kwargs)

    def _answer(self, question: Callable[..., T], args: Any, kwargs: Any) -> T:
        try:
            self._pool.open()
            with self._pool.connection(timeout=self._patience) as conn:
                return question(conn, *args, **kwargs)
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise Unavailable("the database does not answer") from error
        except LostKeyError as error:  # it stands still: what is lost must not look as if erased
            raise Unavailable(str(error)) from error


def _is_spent(reading: "asyncio.Task[Page]", after: int) -> bool:
    """Whether nothing came of a reading, and another one may find something by now."""
    return reading.done() and (reading.exception() is not None or reading.result().upto <= after)


async def _ears(dsn: str) -> AsyncConnection[tuple[Any, ...]]:
    """A connection to listen with."""
    return await AsyncConnection.connect(dsn, autocommit=True, connect_timeout=10)
