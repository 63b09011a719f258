"""The log in its own database, as a database sees it that is fed from a topic: read only.

From here come the events that the topic does not have any more, and the keys of what is personal.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import psycopg

from adapters.postgres import log_reader
from adapters.postgres.codec import IS_SEALED
from adapters.postgres.encryption import keys_to_open
from adapters.postgres.log_reader import LogRow
from adapters.postgres.runner import Decoding
from adapters.postgres.tables import Connection
from aggregates.event import Recorded
from projections.base import Projection

BETWEEN = (
    f"SELECT {log_reader.COLUMNS} FROM log.leadlog_events WHERE originator_id = %s"
    " AND originator_version > %s AND originator_version < %s ORDER BY originator_version"
)
BEHIND = (
    f"SELECT {log_reader.COLUMNS} FROM log.leadlog_events WHERE notification_id > %s"
    " ORDER BY notification_id LIMIT %s"
)


class SourceLog:
    """Reads a log with the rights of whoever the connection is."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def between(self, stream: UUID, after: int, before: int) -> list[LogRow]:
        """The events of a stream whose versions are in (after, before)."""
        cursor = self._conn.cursor(binary=True)
        return cursor.execute(BETWEEN, (stream, after, before)).fetchall()

    def behind(self, position: int, limit: int) -> list[LogRow]:
        """The next events of any stream behind a position."""
        cursor = self._conn.cursor(binary=True)
        return cursor.execute(BEHIND, (position, limit)).fetchall()

    def decode(self, rows: Sequence[LogRow]) -> list[Recorded]:
        """Events with what is personal, but for what was erased. Raises LostKeyError."""
        keys = keys_to_open(self._conn, {row[1] for row in rows if IS_SEALED in row[5]})
        return log_reader.decode(rows, keys)


def decoding(source: SourceLog | None) -> Decoding:
    """Decodes each event of a batch once, whatever number of projections folds it. Without the
    source what is personal is None, as after an erasure.
    """
    known: tuple[dict[int, Recorded], dict[int, Recorded]] = {}, {}

    def decoded(projection: Projection, rows: Sequence[LogRow]) -> list[Recorded]:
        whole = source if projection.personal else None
        events = known[whole is not None]
        if new := [row for row in rows if row[0] not in events]:
            found = whole.decode(new) if whole else log_reader.decode(new)
            events.update((recorded.position, recorded) for recorded in found)
        return [events[row[0]] for row in rows]

    return decoded


@contextmanager
def open_source(dsn: str | None) -> Iterator[SourceLog | None]:
    """The log of another database, for a block; None without a DSN."""
    if dsn is None:
        yield None
        return
    with psycopg.connect(dsn, autocommit=True, connect_timeout=10) as conn:
        conn.execute("SET default_transaction_read_only = on")
        yield SourceLog(conn)
