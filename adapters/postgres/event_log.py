"""The event log on PostgreSQL: group commits, coalesced loads, the ledger, the marks.

All appends that wait in this process become one transaction in one round trip; all loads that
wait become one query, on a connection of their own so that they never queue behind a commit.
"""

import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from adapters import tracing
from adapters.keyring import LeadKey, LostKeyError, keyring
from adapters.measures import APPEND_BATCH, APPEND_SECONDS, APPENDS
from adapters.postgres.batcher import Batcher
from adapters.postgres.codec import IS_SEALED, encode, encode_meta
from adapters.postgres.encryption import opened, sealer
from adapters.postgres.session import Session
from aggregates.event import Event
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.personal import personal_values
from commands.ports import (
    MOST_STREAMS,
    NO_MARKS,
    NOBODY,
    UNCONTESTED,
    Appended,
    Holders,
    NewEvents,
    Noted,
    Outcome,
)

# One row per command: its outcome, the position of its last event, when it was recorded.
APPEND = (
    "SELECT command, outcome, position, stamp"
    " FROM log.append(%b::uuid[], %b::bytea[], %b::int[], %b::uuid[], %b::bigint[], %b::text[],"
    " %b::bytea[], %b::timestamptz, %b::int[], %b::bytea[], %b::bigint[],"
    " %b::int[], %b::uuid[], %b::bytea[])"
)
# The key of each stream, if it has one, ahead of its events.
LOAD = (
    "SELECT stream, NULL::bigint, NULL::text, wrapped FROM privacy.keys WHERE stream = ANY (%b)"
    " UNION ALL (SELECT originator_id, originator_version, topic, state FROM log.leadlog_events"
    " WHERE originator_id = ANY (%b)) ORDER BY 1, 2 NULLS FIRST"
)
CAUSE = (
    "SELECT coalesce(meta ->> 'correlation_id', meta ->> 'command_id')::uuid"
    " FROM (SELECT convert_from(state, 'UTF8')::jsonb -> 'meta' AS meta FROM log.leadlog_events"
    " WHERE originator_id = %b AND originator_version = %b) e"
)
KEYS = "SELECT stream, wrapped FROM privacy.keys WHERE stream = ANY (%b)"
FIND = (
    "SELECT l.command_id, l.fingerprint, e.originator_id, e.originator_version,"
    " CASE WHEN l.effect THEN l.position END, CASE WHEN l.effect THEN e.recorded_at END"
    " FROM log.ledger l JOIN log.leadlog_events e ON e.notification_id = l.position"
    " WHERE l.command_id = ANY (%b)"
)
# Per mark that somebody holds: the first streams, how many claims, the position of the last one.
HOLDERS = (
    "SELECT wanted.mark, held.streams, held.claims, last.position"
    " FROM unnest(%b::bytea[]) wanted (mark) CROSS JOIN LATERAL"
    " (SELECT m.position FROM log.marks m WHERE m.mark = wanted.mark"
    "  ORDER BY m.position DESC LIMIT 1) last CROSS JOIN LATERAL"
    f" (SELECT (array_agg(s.stream ORDER BY s.first))[:{MOST_STREAMS}] AS streams,"
    "         sum(s.claims)::int AS claims"
    "  FROM (SELECT f.stream, min(f.position) AS first, count(*) AS claims FROM"
    "   (SELECT m.stream, m.position FROM log.marks m WHERE m.mark = wanted.mark"
    "    ORDER BY m.position LIMIT 1000) f GROUP BY f.stream) s) held"
)
TAKE_CODES = "SELECT log.take_codes(%b::text, %b::date, %b::int)"

MAX_COMMANDS_PER_COMMIT = 64
MAX_STREAMS_PER_LOAD = 256
MAX_COMMANDS_PER_LOOKUP = 256
REMEMBERED_KEYS = 10_000

NO_NEW_KEYS: Mapping[UUID, bytes] = {}

Marks = Mapping[bytes, Holders]
Placed = tuple[UUID, int, str | None, bytes | None]
"""A place in a stream and what stands there: version, topic, state; None = nothing happened."""
StoredRow = tuple[int, str, bytes]


class StoredAppend(NamedTuple):
    """An append as bytes; `marks` as in `NewEvents`, `new_keys` of streams are wrapped."""

    command_id: UUID
    fingerprint: bytes
    events: Sequence[Placed]
    marks: Mapping[bytes, int] = NO_MARKS
    new_keys: Mapping[UUID, bytes] = NO_NEW_KEYS

    def keys(self) -> Iterator[Hashable]:
        """What must not meet itself in one commit: the command, every stream, a contested mark."""
        yield self.command_id
        yield from {stream for stream, *_ in self.events}
        yield from (mark for mark, known in self.marks.items() if known != UNCONTESTED)


class GroupCommitter:
    """Appends that wait together become one transaction; positions follow commit order."""

    def __init__(
        self,
        session: Session,
        *,
        max_batch: int = MAX_COMMANDS_PER_COMMIT,
        simulated_now: Callable[[], datetime] | None = None,
    ) -> None:
        self._session = session
        self._simulated_now = simulated_now
        self.append: Batcher[StoredAppend, Appended] = Batcher(
            self._commit, max_batch=max_batch, keys=StoredAppend.keys
        )

    async def _commit(self, batch: Sequence[StoredAppend]) -> list[Appended | Exception]:
        placed = [(i, *event) for i, item in enumerate(batch, 1) for event in item.events]
        owners, streams, versions, topics, states = zip(*placed, strict=True)
        claims = [(i, *claim) for i, item in enumerate(batch, 1) for claim in item.marks.items()]
        claimants, marks, known = zip(*claims, strict=True) if claims else ((), (), ())
        new_keys = [(i, *key) for i, item in enumerate(batch, 1) for key in item.new_keys.items()]
        keepers, keyed, wrapped = zip(*new_keys, strict=True) if new_keys else ((), (), ())
        now = self._simulated_now() if self._simulated_now else None
        begun = time.perf_counter()
        rows = await self._session.rows(
            APPEND,
            (
                [item.command_id for item in batch],
                [item.fingerprint for item in batch],
                *map(list, (owners, streams, versions, topics, states)),
                now,
                *map(list, (claimants, marks, known, keepers, keyed, wrapped)),
            ),
        )
        APPEND_SECONDS.observe(time.perf_counter() - begun)
        APPEND_BATCH.observe(len(batch))
        APPENDS.count(outcome for _, outcome, *_ in rows)
        outcomes = {nr: Appended(Outcome(kind), pos, at) for nr, kind, pos, at in rows}
        return [outcomes[nr] for nr in range(1, len(batch) + 1)]


class PostgresEventLog:
    """The `EventLog` and `Codes` ports over three connections."""

    def __init__(
        self,
        dsn: str,
        *,
        role: str = "leadlog_writer",
        simulated_now: Callable[[], datetime] | None = None,
    ) -> None:
        self._writes, self._reads, self._numbers = (Session(dsn, role) for _ in range(3))
        self._committer = GroupCommitter(self._writes, simulated_now=simulated_now)
        self._load: Batcher[UUID, Sequence[Event]] = Batcher(
            self._load_many, max_batch=MAX_STREAMS_PER_LOAD
        )
        self._find: Batcher[UUID, Noted | None] = Batcher(
            self._find_many, max_batch=MAX_COMMANDS_PER_LOOKUP
        )
        self._holders: Batcher[Sequence[bytes], Marks] = Batcher(
            self._holders_many, max_batch=MAX_COMMANDS_PER_LOOKUP
        )
        self._take: Batcher[tuple[str, date], int] = Batcher(self._take_many, max_batch=1000)
        self._find_key: Batcher[UUID, LeadKey | None] = Batcher(
            self._find_keys, max_batch=MAX_COMMANDS_PER_LOOKUP
        )
        self._keys: OrderedDict[UUID, LeadKey] = OrderedDict()

    async def append(self, new: NewEvents) -> Appended:
        """Append all or nothing; see the port.

        A key that is remembered is the stream's as long as its version is `after`: what destroys
        it is an event. One that is made is a conflict where the stream has, or had, a key by now.
        """
        if not tracing.is_on():
            return await self._append(new)
        with tracing.span("append", await self._cause(new), by=new.meta.actor.partition(":")[0]):
            return await self._append(new)

    async def _cause(self, new: NewEvents) -> UUID | None:
        """The trace of an append that nobody waits for: a process answers the event before it."""
        if tracing.is_under_way():
            return None
        rows = await self._reads.rows(CAUSE, (new.stream, new.after))
        return rows[0][0] if rows else new.meta.correlation_id or new.meta.command_id

    async def _append(self, new: NewEvents) -> Appended:
        key, wrapped = await self._key_for(new)
        done = await self._committer.append(
            StoredAppend(
                new.meta.command_id,
                new.fingerprint,
                _placed(new, key),
                new.marks,
                {new.stream: wrapped} if wrapped else NO_NEW_KEYS,
            )
        )
        if key and done.outcome is Outcome.APPENDED:
            self._remember(new.stream, key)
        return done

    async def load(self, stream: UUID) -> Sequence[Event]:
        """All events of a stream, in order."""
        return await self._load(stream)

    async def find(self, command_id: UUID) -> Noted | None:
        """What the ledger knows of a command id."""
        return await self._find(command_id)

    async def holders(self, marks: Sequence[bytes]) -> Marks:
        """Who has claimed each of the marks, as the log has it now."""
        return await self._holders(marks)

    async def take(self, prefix: str, day: date) -> int:
        """The next number of a code."""
        return await self._take((prefix, day))

    async def close(self) -> None:
        """Finish what is under way, then close the connections."""
        writes, reads = (self._committer.append,), (self._load, self._find, self._holders)
        for batcher in (*writes, *reads, self._find_key, self._take):
            await batcher.drain()
        for session in (self._writes, self._reads, self._numbers):
            await session.close()

    async def _load_many(self, streams: Sequence[UUID]) -> list[Sequence[Event] | Exception]:
        wanted = list(set(streams))
        rows = await self._reads.rows(LOAD, (wanted, wanted))
        found: defaultdict[UUID, list[StoredRow]] = defaultdict(list)
        keys: dict[UUID, bytes] = {}
        for stream, version, topic, state in rows:
            if topic is None:
                keys[stream] = state
            else:
                found[stream].append((version, topic, state))
        return [self._decoded(stream, keys.get(stream), found[stream]) for stream in streams]

    def _decoded(
        self, stream: UUID, wrapped: bytes | None, stored: Sequence[StoredRow]
    ) -> Sequence[Event] | Exception:
        """A stream's events; what cannot be read is an answer to whoever asks for it alone."""
        if wrapped is None and _needs_key(stored):
            return LostKeyError(stream)
        try:
            key = keyring().unwrap(stream, wrapped) if wrapped else None
            events = [opened(key, stream, *row) for row in stored]
        except Exception as error:  # noqa: BLE001 - it belongs to the caller
            return error
        if key:
            self._remember(stream, key)
        else:
            self._keys.pop(stream, None)
        return events

    async def _key_for(self, new: NewEvents) -> tuple[LeadKey | None, bytes | None]:
        """The key for what is personal in the events, and the same wrapped when it is a new one."""
        if not any(map(personal_values, new.events)):
            return None, None
        key = self._keys.get(new.stream)
        if key is None and new.after:
            key = await self._find_key(new.stream)
        return (key, None) if key else keyring().make(new.stream)

    def _remember(self, stream: UUID, key: LeadKey) -> None:
        self._keys[stream] = key
        self._keys.move_to_end(stream)
        if len(self._keys) > REMEMBERED_KEYS:
            self._keys.popitem(last=False)

    async def _find_keys(self, streams: Sequence[UUID]) -> list[LeadKey | Exception | None]:
        rows = await self._reads.rows(KEYS, (list(set(streams)),))
        found = {stream: _unwrapped(stream, wrapped) for stream, wrapped in rows}
        return [found.get(stream) for stream in streams]

    async def _find_many(self, commands: Sequence[UUID]) -> list[Noted | Exception | None]:
        rows = await self._reads.rows(FIND, (list(set(commands)),))
        found = {command: Noted(bytes(fingerprint), *last) for command, fingerprint, *last in rows}
        return [found.get(command) for command in commands]

    async def _holders_many(self, wanted: Sequence[Sequence[bytes]]) -> list[Marks | Exception]:
        rows = await self._reads.rows(HOLDERS, (list({m for marks in wanted for m in marks}),))
        found = {bytes(mark): Holders(tuple(streams), *last) for mark, streams, *last in rows}
        return [{mark: found.get(mark, NOBODY) for mark in marks} for marks in wanted]

    async def _take_many(self, wanted: Sequence[tuple[str, date]]) -> list[int | Exception]:
        """One statement per prefix and day; the numbers go out in order of arrival."""
        amounts: dict[tuple[str, date], int] = defaultdict(int)
        for key in wanted:
            amounts[key] += 1
        following: dict[tuple[str, date], Any] = {}
        for (prefix, day), amount in amounts.items():
            rows = await self._numbers.rows(TAKE_CODES, (prefix, day, amount))
            following[prefix, day] = iter(range(rows[0][0], rows[0][0] + amount))
        return [next(following[key]) for key in wanted]


def _placed(new: NewEvents, key: LeadKey | None) -> Sequence[Placed]:
    if not new.events:
        assert new.after, "a stream that is only now beginning has nothing that could stay as it is"
        return [(new.stream, new.after + 1, None, None)]
    meta = encode_meta(new.meta)
    return [
        (new.stream, v, e.topic, encode(e, meta, sealer(key, new.stream, v, e.topic)))
        for v, e in enumerate(new.events, new.after + 1)
    ]


def _unwrapped(stream: UUID, wrapped: bytes) -> LeadKey | Exception:
    """A stream's key, or why it cannot be opened: nothing to whoever asks for another one."""
    try:
        return keyring().unwrap(stream, wrapped)
    except Exception as error:  # noqa: BLE001 - it belongs to the caller
        return error


def _needs_key(stored: Sequence[StoredRow]) -> bool:
    """Whether something is sealed in a stream that was not erased."""
    erased = any(topic == PersonalDataErased.topic for _, topic, _ in stored)
    return not erased and any(IS_SEALED in state for *_, state in stored)
