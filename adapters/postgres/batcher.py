"""Many callers, one piece of work: what waits together is done together.

While one batch is being worked on, the next gathers. It is taken when the event loop brings no
more: a round trip costs about as much CPU as a command, and callers who are a turn of the loop away
would wait for the whole of it. A lone caller waits for two turns, microseconds, not for company.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from commands.ports import Unavailable

In = TypeVar("In")
Out = TypeVar("Out")

CALM_TURNS = 2
"""Turns of the event loop without another caller, after which a batch is taken."""


class Batcher(Generic[In, Out]):
    """Call it with an item; it awaits that item's result of `work(items)`.

    `keys(item)` names what an item must have to itself: two items with a common key never share
    a batch, the later one waits. A result that is an exception is raised to its caller; an
    exception out of `work` is raised to all of the batch. At most `max_waiting` items wait.
    """

    def __init__(
        self,
        work: Callable[[Sequence[In]], Awaitable[Sequence[Out | Exception]]],
        *,
        max_batch: int,
        max_waiting: int = 10_000,
        keys: Callable[[In], Iterable[Hashable]] | None = None,
    ) -> None:
        self._work = work
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._keys = keys
        self._waiting: deque[tuple[In, asyncio.Future[Out]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def __call__(self, item: In) -> Out:
        """The result for `item`; raises Unavailable at once when too many wait already."""
        if len(self._waiting) >= self._max_waiting:
            raise Unavailable(f"{self._max_waiting} requests are waiting already: try again later")
        future: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            # It works for many callers: nothing of the first one's context is its own.
            self._worker = asyncio.create_task(self._run(), context=Context())
        return await future

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while self._worker is not None:
            await asyncio.wait([self._worker])

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._calm()
                batch = self._take()
                try:
                    results = await self._work([item for item, _ in batch])
                except Exception as error:  # noqa: BLE001 - it belongs to the callers
                    results = [error] * len(batch)
                assert len(results) == len(batch)
                for (_, future), result in zip(batch, results, strict=True):
                    _settle(future, result)
        finally:
            self._worker = None

    async def _calm(self) -> None:
        """Let those come who are on their way, up to a whole batch."""
        calm = 0
        while calm < CALM_TURNS and len(self._waiting) < self._max_batch:
            before = len(self._waiting)
            await asyncio.sleep(0)
            calm = calm + 1 if len(self._waiting) == before else 0

    def _take(self) -> list[tuple[In, "asyncio.Future[Out]"]]:
        """The next batch, in order of arrival, without two items that share a key."""
        if self._keys is None:
            size = min(self._max_batch, len(self._waiting))
            return [self._waiting.popleft() for _ in range(size)]
        batch: list[tuple[In, asyncio.Future[Out]]] = []
        later: list[tuple[In, asyncio.Future[Out]]] = []
        taken: set[Hashable] = set()
        while self._waiting and len(batch) < self._max_batch:
            entry = self._waiting.popleft()
            keys = set(self._keys(entry[0]))
            if taken.isdisjoint(keys):
                batch.append(entry)
            else:
                later.append(entry)
            taken |= keys
        self._waiting.extendleft(reversed(later))
        return batch


def _settle(future: "asyncio.Future[Out]", result: Out | Exception) -> None:
    if future.done():  # its caller has gone
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
