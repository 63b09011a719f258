"""Facts of the past into the log, thousands per transaction, each (source, seq) at most once (P2).

A batch is one transaction: take the append lock, see which rows are new, COPY their events and
note their seqs. log.imports is the ledger of imports: a row's name is its seq, and a multirange
knows a million of them in a few bytes where log.ledger would need a row for each.

What is appended depends on the rows and their order alone, not on how they are cut into batches:
people and teams enter the directory right before the first row that names them, and codes are
taken in the order of the rows. So an import that was killed and run again leaves the same log.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from psycopg import IsolationLevel

from adapters.postgres.codec import encode, encode_meta
from adapters.postgres.tables import Connection, connect
from aggregates.directory.events import PersonAdded, TeamAdded
from aggregates.directory.state import person_id, team_id
from aggregates.event import Event, Meta
from aggregates.values import format_code, local_date
from commands.history import Fact, row_id, source_id

LOCK = "SELECT log.lock_for_append()"
HEAD = "SELECT position, stamp FROM log.head(NULL)"
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

Named = Mapping[UUID, Event]
"""Entries of the directory that a row needs, by their stream."""


class Stored(NamedTuple):
    """What became of a batch: rows that were new, and the events appended for them."""

    rows: int
    events: int


class HistoryLog:
    """Appends the facts of one source. A context manager."""

    def __init__(self, dsn: str, source: str, zone: ZoneInfo) -> None:
        self._conn: Connection = connect(dsn, "leadlog_writer", autocommit=True)
        # Each statement sees what was committed before it: what is read behind the lock is true.
        self._conn.isolation_level = IsolationLevel.READ_COMMITTED
        self._source = source
        self._namespace = source_id(source)
        self._zone = zone
        self._directory: set[UUID] = set()

    def append(self, facts: Sequence[Fact]) -> Stored:
        """Append the facts that are not in the log yet, all or nothing, durably, in their order."""
        ...
