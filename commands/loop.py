"""The one way a command reaches the log: load, decide, append, and again if somebody was faster.

A command id has at most one effect, for ever, and the same answer (P2): the log's ledger decides,
this loop only asks it when a decision came out otherwise than expected. That a repeatable command
changed nothing is noted there as well, or a repetition could find something to change.

Commands are tried again for `TRY_SECONDS`, however often others are faster meanwhile: a capture is
never refused because many come at once (decision 10).

What a decision has to know beyond its stream are marks: who claimed this phone number, how often
somebody claimed something today. The log refuses it when a mark was claimed meanwhile.
"""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID

from aggregates.course import Course
from aggregates.event import Event, Meta
from aggregates.refusal import Refusal
from commands import correlation
from commands.ports import (
    UNCONTESTED,
    EventLog,
    Holders,
    NewEvents,
    Noted,
    Outcome,
    Unavailable,
)
from commands.turns import Turns

TRY_SECONDS = 10.0
PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.1
CACHED_STATES = 10_000


class Versioned(Protocol):
    """State that counts its events."""

    @property
    def version(self) -> int:
        """Number of events folded."""
        ...


S = TypeVar("S", bound=Versioned)
Held = Mapping[bytes, Holders]
NOTHING_HELD: Held = {}
Decide = Callable[[S, Held], Sequence[Event]]


def by_state(decide: Callable[[S], Sequence[Event]]) -> Decide[S]:
    """A decision that asks for the state alone."""
    return lambda state, _: decide(state)


def refusing(refusal: Refusal) -> Callable[..., Sequence[Event]]:
    """What the facts alone refuse, as a decision: a repetition is still answered."""

    def refuse(*_: object) -> Sequence[Event]:
        raise refusal

    return refuse


class VersionMismatch(Exception):  # noqa: N818 - an answer, not a defect
    """The caller's expected version (If-Match) is not the stream's."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"expected version {expected}, found {actual}: read again and decide anew")


class CommandReused(Exception):  # noqa: N818 - an answer, not a defect
    """The command id was used before, for something else."""


class Contended(Unavailable):
    """Others kept changing the stream, or claiming a mark, for `TRY_SECONDS`."""


# Not slotted: `Beside[Lead](...)` would try to set an attribute on it.
@dataclass(frozen=True)
class Beside(Generic[S]):
    """A decision that has to know the state of another stream, too.

    That is read for every try, after the holders: a mark that the commands on both streams claim
    keeps what was read true until the append.
    """

    stream: UUID
    given: Callable[[S], Decide[S]]


Decision = Decide[S] | Beside[S]


Conclude = Callable[[Decide[S], S, Held], Course[S]]
"""Asks a decision about a state, and adds what belongs to every decision."""


class Intent(NamedTuple, Generic[S]):
    """A command ready to be carried out.

    `decide(state, holders)` is pure apart from what it closed over; it may be called several
    times, with the holders of `marks`. What it decides claims these marks (16 bytes each).
    `repeatable` = the command id comes from the caller, who may send it again. `admit` raises the
    refusal of a state that this caller may not know of, ahead of all else that is said about it.
    `enough`: with so many claims a mark is claimed without contest, for a decision that looks no
    further (a thousand customers may have one name, and need not enter one by one).
    """

    stream: UUID
    decide: Decision[S]
    meta: Meta
    fingerprint: bytes
    expected_version: int | None = None
    repeatable: bool = False
    marks: tuple[bytes, ...] = ()
    admit: Callable[[S], None] | None = None
    enough: int | None = None

    def crowded(self, held: Held) -> set[bytes]:
        """The marks that are claimed without contest."""
        return {m for m, who in held.items() if self.enough and who.count >= self.enough}


class Reply(NamedTuple, Generic[S]):
    """What came of a command: the state after it, where the log stands, whether it was new.

    `position` is None when nothing had to be recorded.
    """

    state: S
    position: int | None
    recorded_at: datetime | None
    repeated: bool = False


class CommandLoop(Generic[S]):
    """Carries intents out on one kind of aggregate, with a bounded cache of folded states.

    A cached state is only ever trusted to append behind its version, which the log checks. A
    refusal or a no-op is always judged on freshly loaded events.
    """

    def __init__(
        self,
        log: EventLog,
        initial: Callable[[UUID], S],
        evolve: Callable[[S, Event], S],
        *,
        cached_states: int = CACHED_STATES,
    ) -> None:
        self._log = log
        self._initial = initial
        self._evolve = evolve
        self._cache: OrderedDict[UUID, S] = OrderedDict()
        self._cached_states = cached_states
        # Commands on one stream or mark take turns, so that only other processes can be faster.
        self._turns = Turns()
        self._crowded: set[bytes] = set()

    async def run(self, intent: Intent[S]) -> Reply[S]:
        """Carry an intent out. Raises Refusal, VersionMismatch, CommandReused or Unavailable."""
        return await self._carry_out(intent, self._conclude)

    async def _carry_out(self, intent: Intent[S], conclude: Conclude[S]) -> Reply[S]:
        """The same where more belongs to each decision."""
        correlation.command_id.set(intent.meta.command_id)
        await self._turns.take(intent.stream)
        try:
            return await self._in_turn(intent, conclude)
        finally:
            self._turns.end(intent.stream)

    async def _in_turn(self, intent: Intent[S], conclude: Conclude[S]) -> Reply[S]:
        if not intent.marks:
            return await self._run(intent, conclude)
        with ExitStack() as turns:
            # In one order, so that two commands never wait for each other.
            for mark in sorted(set(intent.marks)):
                await self._take_turn(mark, turns)
            return await self._run(intent, conclude)

    async def _take_turn(self, mark: bytes, turns: ExitStack) -> None:
        """Hold a mark until `turns` ends; a crowded one, perhaps crowded meanwhile, is let go."""
        if mark not in self._crowded:
            await self._turns.take(mark)
            if mark in self._crowded:
                self._turns.end(mark)
            else:
                turns.callback(self._turns.end, mark)

    def _conclude(self, decide: Decide[S], state: S, held: Held) -> Course[S]:
        events = decide(state, held)
        return Course(events, self._fold(state, events))

    def _fold(self, state: S, events: Iterable[Event]) -> S:
        for event in events:
            state = self._evolve(state, event)
        return state

    async def _run(self, intent: Intent[S], conclude: Conclude[S]) -> Reply[S]:
        until, pause = time.monotonic() + TRY_SECONDS, PAUSE_SECONDS
        while not (reply := await self._try(intent, conclude)):
            if time.monotonic() > until:
                raise Contended("others keep changing this lead: try again")
            # Another process was faster: let it finish, and not all return at once.
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        return reply

    async def _try(self, intent: Intent[S], conclude: Conclude[S]) -> Reply[S] | None:
        """The reply; None when somebody was faster."""
        held = await self._holders(intent) if intent.marks else NOTHING_HELD
        decide = intent.decide
        try:
            if isinstance(decide, Beside):
                decide = decide.given(await self.read(decide.stream))
            state, (events, after) = await self._decide(intent, partial(conclude, decide), held)
        except (Refusal, VersionMismatch):
            if earlier := await self.earlier(intent):
                return earlier
            raise
        if not events and not (intent.repeatable and state.version):
            return Reply(state, None, None)
        done = await self._log.append(_new(intent, state, events, held))
        if done.outcome is Outcome.APPENDED:
            self.remember(intent.stream, after)
            return Reply(after, done.position, done.recorded_at)
        self._cache.pop(intent.stream, None)
        if done.outcome is Outcome.CONFLICT:
            return None
        noted = await self._log.find(intent.meta.command_id)
        assert noted, "the ledger knew this command a moment ago"
        return await self._reply_again(intent, noted)

    async def knows(self, command_id: UUID) -> bool:
        """Whether the command id was used before: then it has no effect any more."""
        return await self._log.find(command_id) is not None

    async def earlier(self, intent: Intent[S]) -> Reply[S] | None:
        """The reply to this command id when it was carried out before. Raises CommandReused."""
        noted = await self._log.find(intent.meta.command_id) if intent.repeatable else None
        return await self._reply_again(intent, noted) if noted else None

    async def read(self, stream: UUID) -> S:
        """The state of a stream as the log has it now."""
        return self._fold(self._initial(stream), await self._log.load(stream))

    def remember(self, stream: UUID, state: S) -> None:
        """Keep a state that was just read, for a command that is about to follow."""
        self._cache[stream] = state
        self._cache.move_to_end(stream)
        while len(self._cache) > self._cached_states:
            self._cache.popitem(last=False)

    def forget(self, stream: UUID) -> None:
        """Keep no state of a stream."""
        self._cache.pop(stream, None)

    async def _holders(self, intent: Intent[S]) -> Held:
        held = await self._log.holders(intent.marks)
        if crowded := intent.crowded(held):
            if len(self._crowded) > self._cached_states:
                self._crowded.clear()
            self._crowded |= crowded
        return held

    async def _decide(
        self, intent: Intent[S], ask: Callable[[S, Held], Course[S]], held: Held
    ) -> tuple[S, Course[S]]:
        """The state decided upon and what comes of it; a cached state may not refuse."""
        cached = self._cache.get(intent.stream)
        if cached is not None and intent.expected_version in (None, cached.version):
            try:
                _admit(intent, cached)
                course = ask(cached, held)
                if course.events:
                    return cached, course
            except Refusal:
                pass  # perhaps stale: judge again below
        state = await self.read(intent.stream)
        _admit(intent, state)
        self._require_version(intent, state)
        return state, ask(state, held)

    async def _reply_again(self, intent: Intent[S], noted: Noted) -> Reply[S]:
        if noted.fingerprint != intent.fingerprint:
            raise CommandReused("this idempotency key was used for another request: take a new one")
        events = await self._log.load(noted.stream)
        state = self._fold(self._initial(noted.stream), events[: noted.version])
        return Reply(state, noted.position, noted.recorded_at, repeated=True)

    @staticmethod
    def _require_version(intent: Intent[S], state: S) -> None:
        if intent.expected_version not in (None, state.version):
            assert intent.expected_version is not None
            raise VersionMismatch(intent.expected_version, state.version)


def _admit(intent: Intent[S], state: S) -> None:
    if intent.admit:
        intent.admit(state)


def _new(intent: Intent[S], state: S, events: Sequence[Event], held: Held) -> NewEvents:
    crowded = intent.crowded(held)
    known = {m: UNCONTESTED if m in crowded else who.position for m, who in held.items()}
    return NewEvents(intent.stream, state.version, events, intent.meta, intent.fingerprint, known)
