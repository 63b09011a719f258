"""The one way a command reaches the log: load, decide, append, and again if somebody was faster.

A command id has at most one effect, for ever, and the same answer (P2): the log's ledger decides,
this loop only asks it when a decision came out otherwise than expected.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from aggregates.event import Event, Meta
from aggregates.refusal import Refusal
from commands.ports import Appended, EventLog, NewEvents, Noted, Outcome, Unavailable

MAX_TRIES = 8
PAUSE_SECONDS = 0.002
CACHED_STATES = 10_000


class Versioned(Protocol):
    """State that counts its events."""

    @property
    def version(self) -> int:
        """Number of events folded."""
        ...


S = TypeVar("S", bound=Versioned)


class VersionMismatch(Exception):  # noqa: N818 - an answer, not a defect
    """The caller's expected version (If-Match) is not the stream's."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"expected version {expected}, found {actual}: read again and decide anew")


class CommandReused(Exception):  # noqa: N818 - an answer, not a defect
    """The command id was used before, for something else."""


class Contended(Unavailable):
    """Others kept changing the stream during every try."""


@dataclass(frozen=True, slots=True)
class Intent(Generic[S]):
    """A command ready to be carried out.

    `decide` is pure apart from what it closed over; it may be called several times.
    `repeatable` = the command id comes from the caller, who may send it again.
    """

    stream: UUID
    decide: Callable[[S], Sequence[Event]]
    meta: Meta
    fingerprint: bytes
    expected_version: int | None = None
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Reply(Generic[S]):
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
        # Commands on one stream take turns here, so that only other processes can be faster.
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def run(self, intent: Intent[S]) -> Reply[S]:
        """Carry an intent out. Raises Refusal, VersionMismatch, CommandReused or Unavailable."""
        turn = self._turns.setdefault(intent.stream, asyncio.Lock())
        async with turn:
            return await self._run(intent)

    async def _run(self, intent: Intent[S]) -> Reply[S]:
        for tries in range(MAX_TRIES):
            if tries:  # another process was faster: let it finish, and not all return at once
                await asyncio.sleep(random.uniform(0, PAUSE_SECONDS * 2**tries))  # noqa: S311
            state, events = await self._decide(intent)
            if not events:
                return await self._earlier_reply(intent) or Reply(state, None, None)
            done = await self._log.append(
                NewEvents(intent.stream, state.version, events, intent.meta, intent.fingerprint)
            )
            if done.outcome is Outcome.APPENDED:
                return self._appended(intent, state, events, done)
            self._cache.pop(intent.stream, None)
            if done.outcome is not Outcome.CONFLICT:
                noted = await self._log.find(intent.meta.command_id)
                assert noted, "the ledger knew this command a moment ago"
                return await self._reply_again(intent, noted)
        raise Contended("others keep changing this lead: try again")

    async def read(self, stream: UUID) -> S:
        """The state of a stream as the log has it now."""
        state = self._initial(stream)
        for event in await self._log.load(stream):
            state = self._evolve(state, event)
        return state

    async def _decide(self, intent: Intent[S]) -> tuple[S, Sequence[Event]]:
        """The state decided upon and the events; a cached state may not refuse."""
        cached = self._cache.get(intent.stream)
        if cached is not None and intent.expected_version in (None, cached.version):
            try:
                if events := intent.decide(cached):
                    return cached, events
            except Refusal:
                pass  # perhaps stale: judge again below
        state = await self.read(intent.stream)
        try:
            self._require_version(intent, state)
            return state, intent.decide(state)
        except (Refusal, VersionMismatch):
            if await self._earlier_reply(intent):
                return state, ()
            raise

    async def _earlier_reply(self, intent: Intent[S]) -> Reply[S] | None:
        """The reply to this command id when it was carried out before."""
        noted = await self._log.find(intent.meta.command_id) if intent.repeatable else None
        return await self._reply_again(intent, noted) if noted else None

    async def _reply_again(self, intent: Intent[S], noted: Noted) -> Reply[S]:
        if noted.fingerprint != intent.fingerprint:
            raise CommandReused("this idempotency key was used for another request: take a new one")
        events = await self._log.load(noted.stream)
        state = self._initial(noted.stream)
        for event in events[: noted.version]:
            state = self._evolve(state, event)
        return Reply(state, noted.position, noted.recorded_at, repeated=True)

    def _appended(
        self, intent: Intent[S], state: S, events: Sequence[Event], done: Appended
    ) -> Reply[S]:
        for event in events:
            state = self._evolve(state, event)
        self._cache[intent.stream] = state
        self._cache.move_to_end(intent.stream)
        while len(self._cache) > self._cached_states:
            self._cache.popitem(last=False)
        return Reply(state, done.position, done.recorded_at)

    @staticmethod
    def _require_version(intent: Intent[S], state: S) -> None:
        if intent.expected_version not in (None, state.version):
            assert intent.expected_version is not None
            raise VersionMismatch(intent.expected_version, state.version)
