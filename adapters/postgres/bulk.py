"""Facts of the past into the log, thousands per transaction, each (source, seq) at most once (P2).

A batch is one transaction: take the append lock, see which rows are new, COPY their events and
note their seqs. log.imports is the ledger of imports: a row's name is its seq, and a multirange
knows a million of them in a few bytes where log.ledger would need a row for each.

What is appended depends on the rows and their order alone, not on how they are cut into batches:
people and teams enter the directory right before the first row that names them, and codes are
taken in the order of the rows. So an import that was killed and run again leaves the same log.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from psycopg import IsolationLevel

from adapters.keyring import LostKeyError
from adapters.postgres.encryption import LeadKeys, keys_of
from adapters.postgres.tables import Connection, connect
from aggregates.directory.events import PersonAdded, TeamAdded
from aggregates.directory.state import person_id, team_id
from aggregates.event import Event
from aggregates.personal import without_personal
from aggregates.values import format_codes, local_date
from commands.history import Fact, row_id, source_id
from commands.marks import Mark, of_details

LOCK = "SELECT log.lock_for_append()"
HEAD = "SELECT position, stamp FROM log.head(%s)"
# Which of these seqs are in the log already.
KNOWN = (
    "SELECT seqs * (SELECT range_agg(int8range(s, s, '[]')) FROM unnest(%b::bigint[]) s)"
    " FROM log.imports WHERE source = %b"
)
# The last version of each of these streams that exist.
VERSIONS = (
    "SELECT s.id, last.version FROM unnest(%b::uuid[]) s (id) CROSS JOIN LATERAL"
    " (SELECT e.originator_version AS version FROM log.leadlog_events e"
    "  WHERE e.originator_id = s.id ORDER BY e.originator_version DESC LIMIT 1) last"
)
TAKE_CODES = "SELECT log.take_codes(%b::text, %b::date, %b::int)"
NOTE = (
    "INSERT INTO log.imports AS i (source, seqs)"
    " SELECT %b, range_agg(int8range(s, s, '[]')) FROM unnest(%b::bigint[]) s"
    " ON CONFLICT (source) DO UPDATE SET seqs = i.seqs + excluded.seqs"
)
COPY = (
    "COPY log.leadlog_events (originator_id, originator_version, topic, state, notification_id,"
    " recorded_at) FROM STDIN (FORMAT BINARY)"
)
COPY_TYPES = ("uuid", "int8", "text", "bytea", "int8", "timestamptz")
ERASED = "SELECT stream FROM privacy.erasures WHERE stream = ANY (%b::uuid[])"
COPY_KEYS = "COPY privacy.keys (stream, wrapped) FROM STDIN (FORMAT BINARY)"
KEY_TYPES = ("uuid", "bytea")
# Those of the streams that had something sealed up to a position.
SEALED = (
    "SELECT e.originator_id FROM log.leadlog_events e WHERE e.originator_id = ANY (%b::uuid[])"
    " AND e.notification_id <= %b AND position('\"sealed\":'::bytea IN e.state) > 0 LIMIT 1"
)
COPY_MARKS = "COPY log.marks (mark, stream, position) FROM STDIN (FORMAT BINARY)"
MARK_TYPES = ("bytea", "uuid", "int8")

REMEMBERED_NAMES = 100_000

Named = Mapping[UUID, Event]
"""Entries of the directory that a row needs, by their stream."""


class Stored(NamedTuple):
    """What became of a batch: rows that were new, and the events appended for them."""

    rows: int
    events: int


class HistoryLog:
    """Appends the facts of one source.

    What a fact says of a phone, an e-mail address or a customer is marked with `mark`, so that
    later leads are found to be the same (A1).
    """

    def __init__(
        self,
        dsn: str,
        source: str,
        zone: ZoneInfo,
        mark: Mark,
        simulated_now: datetime | None = None,
    ) -> None:
        self._conn: Connection = connect(dsn, "leadlog_writer", autocommit=True)
        # Each statement sees what was committed before it: what is read behind the lock is true.
        self._conn.isolation_level = IsolationLevel.READ_COMMITTED
        self._source = source
        self._namespace = source_id(source)
        self._zone = zone
        self._mark = mark
        self._simulated_now = simulated_now
        actor = msgspec.json.encode(f"import:{source}")
        self._meta_start = b'{"actor":' + actor + b',"command_id":"'
        self._directory: set[UUID] = set()  # entries that are in the log for sure

    def append(self, facts: Sequence[Fact]) -> Stored:
        """Append the facts that are not in the log yet, all or nothing, durably, in their order."""
        with self._conn.transaction():
            self._conn.execute(LOCK)
            new = self._new(facts)
            if not new:
                return Stored(0, 0)
            named = _named(new)
            events = self._copy(new, named)
            self._conn.execute(NOTE, (self._source, [fact.seq for fact in new]))
            self._conn.execute("NOTIFY leadlog_events")
        self._directory.update(named)
        if len(self._directory) > REMEMBERED_NAMES:
            self._directory.clear()
        return Stored(len(new), events)

    def close(self) -> None:
        """Close the connection."""
        self._conn.close()

    def _new(self, facts: Sequence[Fact]) -> Sequence[Fact]:
        row = self._conn.execute(KNOWN, ([fact.seq for fact in facts], self._source)).fetchone()
        runs = (row and row[0]) or ()
        known = {seq for run in runs for seq in range(run.lower, run.upper)}
        return [fact for fact in facts if fact.seq not in known]

    def _copy(self, facts: Sequence[Fact], named: Named) -> int:
        """Append the facts behind the head of the log; returns the number of events."""
        position, stamp = self._one(HEAD, self._simulated_now)
        versions = self._versions(facts, named)
        codes = self._codes(facts, local_date(stamp, self._zone))
        start = position
        marks: list[tuple[bytes, UUID, int]] = []
        unknown = {s: entry for s, entry in named.items() if s not in versions}
        old = {fact.stream for fact in facts} & versions.keys()
        keys, erased = LeadKeys(keys_of(self._conn, old)), self._erased(old)
        with self._conn.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.set_types(COPY_TYPES)
            for stream, event, meta, claims in self._events(facts, unknown, codes):
                position += 1
                version = versions[stream] = versions.get(stream, 0) + 1
                if stream in erased:  # nothing personal comes back with an import
                    event, claims = without_personal(event), ()  # noqa: PLW2901
                state = keys.encode(stream, version, event, meta)
                copy.write_row((stream, version, event.topic, state, position, stamp))
                marks += [(mark, stream, position) for mark in claims]
        self._store(COPY_MARKS, MARK_TYPES, marks)
        self._refuse_second_keys([stream for stream, _ in keys.made if stream in old], start)
        self._store(COPY_KEYS, KEY_TYPES, keys.made)
        return int(position - start)

    def _erased(self, streams: set[UUID]) -> set[UUID]:
        return {stream for (stream,) in self._conn.execute(ERASED, (list(streams),))}

    def _refuse_second_keys(self, streams: Sequence[UUID], upto: int) -> None:
        """Raises LostKeyError where what is sealed could never be opened again."""
        if streams and (lost := self._conn.execute(SEALED, (streams, upto)).fetchone()):
            raise LostKeyError(lost[0])

    def _store(self, copying: str, types: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            with self._conn.cursor() as cursor, cursor.copy(copying) as copy:
                copy.set_types(types)
                for row in rows:
                    copy.write_row(row)

    def _events(
        self,
        facts: Sequence[Fact],
        unknown: dict[UUID, Event],
        codes: Mapping[str, Iterator[str]],
    ) -> Iterator[tuple[UUID, Event, msgspec.Raw, Iterable[bytes]]]:
        """(stream, event, envelope, marks): each row's event, behind the entries it needs."""
        for fact in facts:
            meta = self._meta(fact.seq)
            if unknown:
                for stream in _streams_named(fact):
                    if entry := unknown.pop(stream, None):
                        yield stream, entry, meta, ()
            prefix = fact.prefix
            event = fact.event(next(codes[prefix]) if prefix else None)
            details = fact.values.get("details")
            claims = of_details(details, self._mark).values() if details else ()
            yield fact.stream, event, meta, claims

    def _meta(self, seq: int) -> msgspec.Raw:
        """The envelope of a row's events."""
        return msgspec.Raw(self._meta_start + row_id(self._namespace, seq).encode() + b'"}')

    def _versions(self, facts: Sequence[Fact], named: Named) -> dict[UUID, int]:
        """The versions of the streams that exist; directory entries seen before are among them."""
        remembered = dict.fromkeys(self._directory & named.keys(), 1)
        asked = {fact.stream for fact in facts} | (named.keys() - remembered.keys())
        found = self._conn.execute(VERSIONS, (list(asked),))
        return remembered | dict(found.fetchall())

    def _codes(self, facts: Sequence[Fact], day: date) -> dict[str, Iterator[str]]:
        """The codes that the facts need, by prefix, in order."""
        codes: dict[str, Iterator[str]] = {}
        for prefix, amount in Counter(filter(None, (fact.prefix for fact in facts))).items():
            (first,) = self._one(TAKE_CODES, prefix, day, amount)
            codes[prefix] = format_codes(prefix, day, range(first, first + amount))
        return codes

    def _one(self, statement: str, *params: Any) -> tuple[Any, ...]:
        row = self._conn.execute(statement, params).fetchone()
        assert row is not None
        return row


def _named(facts: Sequence[Fact]) -> Named:
    """The directory entries of everybody whom the facts name."""
    entries: dict[UUID, Event] = {}
    for name in {name for fact in facts for name in fact.people}:
        entries[person_id(name)] = PersonAdded(name=name)
    for name in {name for fact in facts for name in fact.teams}:
        entries[team_id(name)] = TeamAdded(name=name)
    return entries


def _streams_named(fact: Fact) -> Iterator[UUID]:
    yield from map(person_id, fact.people)
    yield from map(team_id, fact.teams)
