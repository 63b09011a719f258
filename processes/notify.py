"""Sends every message on its way outside the product: e-mail, chat (R36, R40, R41; decision 20).

What is to be sent stands in the read model `notifications`; once the log says that a message was
sent or given up on a channel, it is done. So a rebuild or a replay sends nothing. What happens
between the other side's answer and the log's may be sent twice, under one Message-ID.

A message that is not taken is tried again, with growing pauses; one that is refused for good, tried
often enough, or too old to be news is given up, which the log says and somebody may undo. Quiet
hours put it off to their end, whatever it is about: the list in the product has it at once.
"""

import asyncio
import heapq
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import TypeAlias
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from aggregates.directory.state import Person
from aggregates.event import Event, Meta
from aggregates.notification import channels as c
from aggregates.notification import state
from aggregates.notification.quiet import quiet_until
from aggregates.notification.state import Notification
from commands.loop import CommandLoop, Contended, Intent, by_state
from commands.notifications import Attempted, Channel, Message, NotTaken, Outbox, Texts
from commands.ports import Clock, EventLog, Unavailable
from commands.register import Register, Registry

NAME = "notify"
ACTOR = f"process:{NAME}"
SENDING = UUID("e6d0a3c7-1f0a-4d87-b6c4-0a3c0ce1ad57")
FIRST_ID = UUID(int=0)
PAGE, MOST_AT_ONCE = 200, 16
MOST_WAITING = 50_000
EVERYBODYS_PAUSE = 5.0
"""Seconds for which a channel is left alone that takes nothing from anybody."""

Key: TypeAlias = tuple[UUID, str]

logger = logging.getLogger("leadlog.notify")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a message is tried, and how long it is news.

    The pause behind the n-th attempt is `first_pause` * 2^(n-1) seconds, at most `longest_pause`,
    of which a random half is taken off: 16 attempts take 8 to 16 hours.
    """

    attempts: int = 16
    first_pause: float = 30.0
    longest_pause: float = 7200.0
    news_for: timedelta = timedelta(hours=24)

    def pause(self, attempts: int) -> float:
        """Seconds until the next attempt, after so many."""
        whole: float = min(self.first_pause * 2 ** (attempts - 1), self.longest_pause)
        return whole * random.uniform(0.5, 1.0)  # noqa: S311


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on a channel; `since` when it is news, `asked` = somebody wants it tried again."""

    message: Message
    channel: str
    since: datetime
    attempts: int = 0
    asked: bool = False

    @property
    def key(self) -> Key:
        """What it is called."""
        return self.message.id, self.channel


class Notify:
    """One holder of the lease at a time runs it; two may send a message twice."""

    def __init__(
        self,
        log: EventLog,
        outbox: Outbox,
        registry: Registry,
        clock: Clock,
        zone: ZoneInfo,
        channels: Mapping[str, Channel],
        texts: Texts,
        patience: Patience,
        *,
        begin_at: int = 0,
    ) -> None:
        """`begin_at`: where the log stood when the lease was taken: an older read model may not
        know what the holder before sent.
        """
        self._loop: CommandLoop[Notification] = CommandLoop(log, Notification, state.evolve)
        self._outbox, self._registry, self._clock, self._zone = outbox, registry, clock, zone
        self._channels, self._texts, self._patience = channels, texts, patience
        self._begin_at = begin_at
        self._after: tuple[int, UUID] | None = None
        self._waiting: dict[Key, Delivery] = {}
        self._settled: dict[Key, int] = {}
        self._ready: list[tuple[float, int, Key]] = []
        self._quiet: list[tuple[datetime, int, Key]] = []
        self._left_alone: dict[str, float] = {}
        self._number = count()

    async def step(self) -> bool:
        """Send a few of those that may be sent now; False when there are none. Raises Unavailable.

        Takes no longer than the slowest channel waits for an answer.
        """
        more = await self._admit()
        if not (taken := self._take()):
            return more
        register = await self._registry.latest()
        work = [self._deal_with(delivery, register) for delivery in taken]
        done = await asyncio.gather(*work, return_exceptions=True)
        for delivery, error in zip(taken, done, strict=True):
            if error:
                await self._failed(delivery, error)
        return True

    async def next_at(self) -> datetime | None:
        """The end of the first quiet hours that something waits for."""
        return self._quiet[0][0] if self._quiet else None

    async def _admit(self) -> bool:
        """Take up what is new and what is to be tried again; whether there may be more."""
        if len(self._waiting) > MOST_WAITING:
            return False
        if self._after is None:
            oldest = self._clock.now() - 3 * self._patience.news_for
            self._after = await self._outbox.begin(oldest), FIRST_ID
        reflected, new = await self._outbox.new(self._after, PAGE)
        if reflected < self._begin_at:
            return False
        self._settled = {key: at for key, at in self._settled.items() if at > reflected}
        if new:
            self._after = new[-1].position, new[-1].id
        await self._enqueue([*new, *await self._outbox.retried(PAGE)])
        return len(new) == PAGE

    async def _enqueue(self, messages: Sequence[Message]) -> None:
        fresh = [d for message in messages for d in self._deliveries(message)]
        fresh = [d for d in fresh if d.key not in self._waiting and d.key not in self._settled]
        if not fresh:
            return
        tried = await self._outbox.attempted([delivery.message.id for delivery in fresh])
        for delivery in fresh:
            before = tried.get(delivery.key, Attempted(0, 0.0))
            self._put(replace(delivery, attempts=before.attempts), before.pause)

    def _deliveries(self, message: Message) -> list[Delivery]:
        if message.retried:
            since = message.retried_at or message.recorded_at
            return [Delivery(message, message.retried, since, asked=True)]
        return [
            Delivery(message, channel, message.recorded_at)
            for channel in self._channels
            if channel not in message.settled
        ]

    def _put(self, delivery: Delivery, pause: float = 0.0) -> None:
        self._waiting[delivery.key] = delivery
        entry = (time.monotonic() + pause, next(self._number), delivery.key)
        heapq.heappush(self._ready, entry)

    def _take(self) -> list[Delivery]:
        """Those whose time has come, a few."""
        while self._quiet and self._quiet[0][0] <= self._clock.now():
            self._put(self._waiting[heapq.heappop(self._quiet)[2]])
        taken: list[Delivery] = []
        while self._ready and self._ready[0][0] <= time.monotonic() and len(taken) < MOST_AT_ONCE:
            taken.append(self._waiting[heapq.heappop(self._ready)[2]])
        return taken

    async def _deal_with(self, delivery: Delivery, register: Register) -> None:
        now = self._clock.now()
        person = register.people.get(delivery.message.recipient, Person())
        channel = self._channels.get(delivery.channel)
        wanted = person.active and delivery.channel in person.messages.channels
        if channel is None or not (wanted and channel.reaches(person)):
            await self._leave(delivery)
        elif now - delivery.since > self._patience.news_for:
            await self._give_up(delivery, c.TOO_OLD)
        elif until := quiet_until(person.messages, now, self._zone):
            heapq.heappush(self._quiet, (until, next(self._number), delivery.key))
        elif (left := self._left_alone.get(delivery.channel, 0.0) - time.monotonic()) > 0:
            self._put(delivery, left)
        else:
            await self._send(delivery, channel, person)

    async def _leave(self, delivery: Delivery) -> None:
        """Nobody is to be reached; whoever asked for it learns that."""
        if delivery.asked:
            await self._give_up(delivery, c.NOT_WANTED)
        else:
            del self._waiting[delivery.key]

    async def _send(self, delivery: Delivery, channel: Channel, person: Person) -> None:
        message = delivery.message
        try:
            text = self._texts(message, person.messages.language)
            message_id = await channel.send(message, person, text)
        except NotTaken as answer:
            await self._not_taken(delivery, answer)
            return
        decide = partial(state.sent, channel=delivery.channel, message_id=message_id)
        await self._settle(delivery, decide, f"{message.id}/{delivery.channel}")

    async def _not_taken(self, delivery: Delivery, answer: NotTaken) -> None:
        tried = replace(delivery, attempts=delivery.attempts + 1)
        logger.warning("message %s by %s: %s", tried.message.id, tried.channel, answer.error)
        if answer.everybodys:
            self._left_alone[tried.channel] = time.monotonic() + EVERYBODYS_PAUSE
        if answer.for_good or tried.attempts >= self._patience.attempts:
            await self._give_up(tried, answer.error)
            return
        pause = self._patience.pause(tried.attempts)
        self._put(tried, pause)
        await self._outbox.note(*tried.key, Attempted(tried.attempts, pause))

    async def _failed(self, delivery: Delivery, error: BaseException) -> None:
        """A defect holds up no other message; that the database does not answer concerns all."""
        everybodys = isinstance(error, Unavailable) and not isinstance(error, Contended)
        if everybodys or not isinstance(error, Exception):
            raise error
        logger.error("message %s by %s", *delivery.key, exc_info=error)
        await self._not_taken(delivery, NotTaken(c.FAILED))

    async def _give_up(self, delivery: Delivery, error: str) -> None:
        decide = partial(
            state.give_up, channel=delivery.channel, error=error, attempts=delivery.attempts
        )
        # It may be given up, tried again at somebody's wish, and given up again.
        name = f"{delivery.message.id}/{delivery.channel}/given up/{delivery.since.isoformat()}"
        await self._settle(delivery, decide, name)

    async def _settle(
        self, delivery: Delivery, decide: Callable[..., list[Event]], name: str
    ) -> None:
        """Record what became of it, under a name: once, whoever else does so, too."""
        message, meta = delivery.message, Meta(ACTOR, uuid5(SENDING, name))
        decided = partial(decide, now=self._clock.now(), recipient=message.recipient)
        reply = await self._loop.run(Intent(message.id, by_state(decided), meta, b""))
        self._settled[delivery.key] = reply.position or 0
        del self._waiting[delivery.key]
        if delivery.attempts:
            await self._outbox.forget(*delivery.key)
