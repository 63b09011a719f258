"""What waits to be sent on a channel: now, after a pause, or at the end of somebody's quiet hours.

Every channel has a lane of its own, so that one that is slow or dead keeps nothing from another.
"""

import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from uuid import UUID

from commands.notifications import Message

MOST_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on a channel; `since` when it is news, `asked` = somebody wants it tried again."""

    message: Message
    channel: str
    since: datetime
    attempts: int = 0
    asked: bool = False

    @property
    def key(self) -> tuple[UUID, str]:
        """What it is called."""
        return self.message.id, self.channel


@dataclass(slots=True)
class Lane:
    """`after`: the place of the last message that was taken up, as the outbox counts; None = none.

    `waiting` holds every delivery that is neither done nor left, also those that are being sent.
    """

    after: tuple[int, UUID] | None = None
    waiting: dict[UUID, Delivery] = field(default_factory=dict)
    _ready: list[tuple[float, int, UUID]] = field(default_factory=list)
    _quiet: list[tuple[datetime, int, UUID]] = field(default_factory=list)
    _left_alone: float = 0.0
    _number: Iterator[int] = field(default_factory=count)

    def put(self, delivery: Delivery, pause: float = 0.0) -> None:
        """It may be sent in so many seconds."""
        self.waiting[delivery.message.id] = delivery
        entry = (time.monotonic() + pause, next(self._number), delivery.message.id)
        heapq.heappush(self._ready, entry)

    def put_off(self, delivery: Delivery, until: datetime) -> None:
        """It may be sent from an instant on."""
        heapq.heappush(self._quiet, (until, next(self._number), delivery.message.id))

    def take(self, now: datetime) -> Iterator[Delivery]:
        """Those whose time has come, a few."""
        while self._quiet and self._quiet[0][0] <= now:
            self.put(self.waiting[heapq.heappop(self._quiet)[2]])
        for _ in range(MOST_AT_ONCE):
            if not self._ready or self._ready[0][0] > time.monotonic():
                return
            yield self.waiting[heapq.heappop(self._ready)[2]]

    def leave_alone(self, pause: float) -> None:
        """The channel takes nothing from anybody, for so many seconds."""
        self._left_alone = time.monotonic() + pause

    @property
    def left_alone(self) -> float:
        """The seconds that are left of that."""
        return max(self._left_alone - time.monotonic(), 0.0)

    @property
    def next_at(self) -> datetime | None:
        """The end of the first quiet hours that something waits for."""
        return self._quiet[0][0] if self._quiet else None
