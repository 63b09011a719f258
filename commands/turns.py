"""Who wants the same thing gets it one after the other.

As asyncio.Lock does for one thing, for any number of them by name: what nobody has takes no memory,
and to take what nobody has costs next to nothing, for it is what nearly every command does.
"""

import asyncio
from collections import deque
from collections.abc import Hashable
from contextlib import suppress


class Turns:
    """One at a time for each name, in the order in which they asked."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        """How many names somebody has."""
        return len(self._waiting)

    async def take(self, name: Hashable) -> None:
        """Wait until the name is one's own: until `end`, which must follow."""
        if name not in self._waiting:
            self._waiting[name] = deque()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[name].append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it had come, and nobody else knows
                self.end(name)
            raise

    def end(self, name: Hashable) -> None:
        """Leave the name to whoever has waited longest and still does."""
        assert name in self._waiting, f"nobody has {name!r}"
        waiting = self._waiting[name]
        while waiting:
            with suppress(asyncio.InvalidStateError):  # cancelled meanwhile
                waiting.popleft().set_result(None)
                return
        del self._waiting[name]
