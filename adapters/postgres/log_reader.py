"""Reading the log in batches: along its positions, or stream by stream.

Along positions is how the log is followed. Stream by stream is how much of it is folded into
rows per stream: each row is then loaded and stored about once instead of once per batch it
appears in.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import psycopg

from adapters.keyring import LeadKey
from adapters.postgres.codec import IS_SEALED
from adapters.postgres.encryption import NO_KEYS, keys_to_open, opened
from aggregates.event import Recorded
from projections.base import Projection

LogRow: TypeAlias = tuple[int, UUID, int, datetime, str, bytes]
Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]
Place: TypeAlias = tuple[UUID, int]

BATCH = 10_000
START: Place = (UUID(int=0), 0)

HEAD = "SELECT coalesce(max(notification_id), 0) FROM log.leadlog_events"
COLUMNS = "notification_id, originator_id, originator_version, recorded_at, topic, state"
# The next events for a projection along the log, positions in (after, upto].
ALONG_POSITIONS = (
    f"SELECT {COLUMNS} FROM log.leadlog_events"
    " WHERE notification_id > %s AND notification_id <= %s AND topic = ANY (%s)"
    " ORDER BY notification_id LIMIT %s"
)
# The next events for a projection stream by stream, behind (stream, version), up to a position.
BY_STREAM = (
    f"SELECT {COLUMNS} FROM log.leadlog_events"
    " WHERE (originator_id, originator_version) > (%s, %s) AND notification_id <= %s"
    " AND topic = ANY (%s) ORDER BY originator_id, originator_version LIMIT %s"
)


def head(conn: Connection) -> int:
    """The last position of the log; 0 when it is empty."""
    row = conn.execute(HEAD).fetchone()
    assert row is not None
    return int(row[0])


def read(
    conn: Connection, projection: Projection, after: int, upto: int, limit: int
) -> list[LogRow]:
    """The next events that the projection folds, undecoded, positions in (after, upto]."""
    cursor = conn.cursor(binary=True)
    cursor.execute(ALONG_POSITIONS, (after, upto, projection.topics, limit))
    return cursor.fetchall()


def read_streams(
    conn: Connection, projection: Projection, after: Place, upto: int, limit: int
) -> list[LogRow]:
    """The same stream by stream; a batch may end in the middle of a stream.

    Walking the primary key reads each event once; left alone the planner sorts the whole rest of
    the log for every batch. What follows in the transaction is planned freely again.
    """
    cursor = conn.cursor(binary=True)
    conn.execute("SET LOCAL enable_sort = off")
    conn.execute("SET LOCAL enable_bitmapscan = off")
    cursor.execute(BY_STREAM, (*after, upto, projection.topics, limit))
    conn.execute("SET LOCAL enable_sort TO DEFAULT")
    conn.execute("SET LOCAL enable_bitmapscan TO DEFAULT")
    return cursor.fetchall()


def prefix(
    conn: Connection, projection: Projection, upto: int, limit: int = BATCH
) -> Iterator[list[LogRow]]:
    """All that the projection folds up to a position, in the cheaper of the two orders."""
    if projection.by_stream:
        place = START
        while rows := read_streams(conn, projection, place, upto, limit):
            yield rows
            place = rows[-1][1], rows[-1][2]
    else:
        after = 0
        while rows := read(conn, projection, after, upto, limit):
            yield rows
            after = rows[-1][0]


def decode(rows: Sequence[LogRow], keys: Mapping[UUID, LeadKey] = NO_KEYS) -> list[Recorded]:
    """Events as a fold takes them. What is personal in them is None where there is no key."""
    return [
        Recorded(p, s, v, at, opened(keys.get(s), s, v, topic, state))
        for p, s, v, at, topic, state in rows
    ]


def decode_whole(conn: Connection, rows: Sequence[LogRow]) -> list[Recorded]:
    """The same with what is personal, but for what was erased. Raises LostKeyError."""
    return decode(rows, keys_to_open(conn, {row[1] for row in rows if IS_SEALED in row[5]}))


def decode_for(conn: Connection, projection: Projection, rows: Sequence[LogRow]) -> list[Recorded]:
    """Events as a projection needs them."""
    return decode_whole(conn, rows) if projection.personal else decode(rows)
