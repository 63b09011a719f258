"""Sends every message on its way outside the product: e-mail, chat (R36, R40, R41; decision 20).

What is to be sent stands in the read model `notifications`; once the log says that a message was
sent or given up on a channel, it is done. So a rebuild or a replay sends nothing. What happens
between the other side's answer and the log's may be sent twice, under one Message-ID.

A message that is not taken is tried again, with growing pauses; one that is refused for good, tried
often enough, or too old to be news is given up, which the log says and somebody may undo; so is
one that does not hold any more (processes/moot.py). Quiet hours put it off to their end, whatever
it is about: the list in the product has it at once.
"""

import logging
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from aggregates.directory.state import Person
from aggregates.event import Event, Meta
from aggregates.notification import channels as c
from aggregates.notification import state
from aggregates.notification.quiet import quiet_until
from aggregates.notification.state import Notification
from commands.loop import CommandLoop, Intent, by_state
from commands.notifications import Attempted, Channel, Message, NotTaken, Outbox, Standing, Texts
from commands.ports import Clock, EventLog
from commands.register import Register, Registry
from processes.gathering import each_of
from processes.lanes import Delivery, Lane
from processes.moot import is_moot, may_know
from projections.messages import REVIEW

NAME = "notify"
ACTOR = f"process:{NAME}"
SENDING = UUID("e6d0a3c7-1f0a-4d87-b6c4-0a3c0ce1ad57")
FIRST_ID = UUID(int=0)
PAGE = 200
EVERYBODYS_PAUSE = 5.0
"""Seconds for which a channel is left alone that takes nothing from anybody."""
BEHIND_PAUSE = 0.2
"""Seconds until a read model may have come to know a lead of which there is a message already."""

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
    most_waiting: int = 50_000
    """On each channel; beyond them new messages wait in the read model alone."""

    def pause(self, attempts: int) -> float:
        """Seconds until the next attempt, after so many."""
        whole: float = min(self.first_pause * 2 ** (attempts - 1), self.longest_pause)
        return whole * random.uniform(0.5, 1.0)  # noqa: S311


@dataclass(frozen=True, slots=True)
class Known:
    """People, and leads as a read model has them that reflects a position."""

    register: Register
    leads: Mapping[UUID, Standing]
    reflected: int

    def is_behind(self, message: Message) -> bool:
        """Whether the lead may be there by now as the message says."""
        return message.kind != REVIEW and self.reflected < message.position

    def is_moot(self, message: Message) -> bool:
        """Whether it does not hold any more."""
        lead = self._lead(message)
        return lead is not None and is_moot(message, lead, self.register)

    def as_shown(self, message: Message, *, private: bool) -> Message:
        """The message without the customer, unless the recipient alone reads it and may know."""
        lead = self._lead(message)
        if private and lead and may_know(message.recipient, lead, self.register):
            return message
        return replace(message, customer=None)

    def _lead(self, message: Message) -> Standing | None:
        return self.leads.get(message.subject) if message.subject else None


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
        self._lanes: defaultdict[str, Lane] = defaultdict(Lane)
        self._settled: dict[Key, int] = {}
        self._retried_after = 0

    async def step(self) -> bool:
        """Send a few of those that may be sent now; False when there are none. Raises Unavailable.

        Takes no longer than the slowest channel waits for an answer.
        """
        more = await self._admit()
        now = self._clock.now()
        taken = [delivery for lane in self._lanes.values() for delivery in lane.take(now)]
        if not taken:
            return more
        register = await self._registry.latest()
        subjects = {d.message.subject for d in taken if d.message.subject}
        reflected, leads = await self._outbox.standings(sorted(subjects))
        known = Known(register, leads, reflected)
        work = [self._deal_with(delivery, known) for delivery in taken]
        for delivery, error in zip(taken, await each_of(work), strict=True):
            if error:
                await self._failed(delivery, error)
        return True

    async def next_at(self) -> datetime | None:
        """The end of the first quiet hours that something waits for."""
        ends = (lane.next_at for lane in self._lanes.values())
        return min(filter(None, ends), default=None)

    async def _admit(self) -> bool:
        """Take up what is to be tried again, and what is new; whether there may be more."""
        reflected, again = await self._outbox.retried(self._retried_after, PAGE)
        if reflected < self._begin_at:
            return False
        self._settled = {key: at for key, at in self._settled.items() if at > reflected}
        await self._enqueue(
            Delivery(m, m.retried, m.retried_at or m.recorded_at, asked=True)
            for _, m in again
            if m.retried
        )
        if again:
            self._retried_after, _ = again[-1]
        full = [await self._admit_to(channel) for channel in self._channels]
        return any(full) or len(again) == PAGE

    async def _admit_to(self, channel: str) -> bool:
        """Take up what is new for a channel, unless too much waits for it already."""
        lane = self._lanes[channel]
        if len(lane.waiting) >= self._patience.most_waiting:
            return False
        if lane.after is None:
            oldest = self._clock.now() - 3 * self._patience.news_for
            lane.after = await self._outbox.begin(oldest), FIRST_ID
        _, new = await self._outbox.new(lane.after, PAGE)
        if new:
            lane.after = new[-1].position, new[-1].id
        await self._enqueue(
            Delivery(m, channel, m.recorded_at) for m in new if channel not in m.settled
        )
        return len(new) == PAGE

    async def _enqueue(self, deliveries: Iterable[Delivery]) -> None:
        fresh = [
            d
            for d in deliveries
            if d.message.id not in self._lanes[d.channel].waiting and d.key not in self._settled
        ]
        if not fresh:
            return
        tried = await self._outbox.attempted([delivery.message.id for delivery in fresh])
        for delivery in fresh:
            before = tried.get(delivery.key, Attempted(0, 0.0))
            self._lanes[delivery.channel].put(
                replace(delivery, attempts=before.attempts), before.pause
            )

    async def _deal_with(self, delivery: Delivery, known: Known) -> None:
        now = self._clock.now()
        person = known.register.people.get(delivery.message.recipient, Person())
        channel, lane = self._channels.get(delivery.channel), self._lanes[delivery.channel]
        wanted = person.active and delivery.channel in person.messages.channels
        if channel is None or not (wanted and channel.reaches(person)):
            await self._leave(delivery)
        elif now - delivery.since > self._patience.news_for:
            await self._give_up(delivery, c.TOO_OLD)
        elif until := quiet_until(person.messages, now, self._zone):
            lane.put_off(delivery, until)
        elif left := lane.left_alone:
            lane.put(delivery, left)
        elif known.is_behind(delivery.message):
            lane.put(delivery, BEHIND_PAUSE)
        elif known.is_moot(delivery.message):
            await self._give_up(delivery, c.MOOT)
        else:
            shown = known.as_shown(delivery.message, private=channel.private)
            await self._send(delivery, shown, channel, person)

    async def _leave(self, delivery: Delivery) -> None:
        """Nobody is to be reached; whoever asked for it learns that."""
        if delivery.asked:
            await self._give_up(delivery, c.NOT_WANTED)
        else:
            del self._lanes[delivery.channel].waiting[delivery.message.id]

    async def _send(
        self, delivery: Delivery, message: Message, channel: Channel, person: Person
    ) -> None:
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
        lane = self._lanes[tried.channel]
        logger.warning("message %s by %s: %s", tried.message.id, tried.channel, answer.error)
        if answer.everybodys:
            lane.leave_alone(EVERYBODYS_PAUSE)
        if answer.for_good or tried.attempts >= self._patience.attempts:
            await self._give_up(tried, answer.error)
            return
        pause = self._patience.pause(tried.attempts)
        lane.put(tried, pause)
        await self._outbox.note(*tried.key, Attempted(tried.attempts, pause))

    async def _failed(self, delivery: Delivery, error: Exception) -> None:
        """A defect holds up no other message."""
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
        del self._lanes[delivery.channel].waiting[message.id]
        if delivery.attempts:
            await self._outbox.forget(*delivery.key)
