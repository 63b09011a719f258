"""Takes what a topic brings into the read models: rows, versions of streams and the place in the
partition in one transaction (docs/adr/0018).

The place moves only from where the reader believed it to be, under a row lock: a reader that lost
its partition without noticing changes nothing. Of each stream every version is folded once and in
order, whatever order and number of times the topic brings them in.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from adapters.postgres.fed import PARTITIONED, SHARE, current_builds
from adapters.postgres.log_reader import LogRow
from adapters.postgres.runner import follow
from adapters.postgres.source_log import SourceLog, decoding
from adapters.postgres.tables import Connection

logger = logging.getLogger("leadlog.feed")

# Another topic than last time, under the same name, has brought nothing yet.
ADD = (
    "INSERT INTO projection.partitions AS p (partition, topic) VALUES (%s, %s)"
    " ON CONFLICT (partition) DO UPDATE SET topic = excluded.topic, next_offset = 0"
    " WHERE p.topic IS DISTINCT FROM coalesce(excluded.topic, p.topic)"
)
PLACES = "SELECT partition, next_offset FROM projection.partitions"
HOLD = "SELECT next_offset, position FROM projection.partitions WHERE partition = %s FOR UPDATE"
MOVE = (
    "UPDATE projection.partitions SET next_offset = %(next)s, end_offset = %(end)s,"
    " position = greatest(position, %(position)s), refused = refused + %(refused)s"
    " WHERE partition = %(partition)s"
)
END = "UPDATE projection.partitions SET end_offset = greatest(next_offset, %s) WHERE partition = %s"
FILLED_UPTO = "UPDATE projection.partitions SET position = %s WHERE partition = %s"
FILLED = "UPDATE projection.partitions SET next_offset = %s WHERE partition = %s"
# Locked in one order, so that nobody waits in a circle: a stream may be in two partitions for a
# while, when their number was changed.
ADD_STREAMS = (
    "INSERT INTO projection.streams (stream) SELECT s FROM unnest(%s::uuid[]) s ORDER BY s"
    " ON CONFLICT DO NOTHING"
)
HOLD_STREAMS = (
    "SELECT stream, version FROM projection.streams WHERE stream = ANY (%s)"
    " ORDER BY stream FOR UPDATE"
)
MOVE_STREAMS = (
    "UPDATE projection.streams s SET version = n.version"
    " FROM unnest(%s::uuid[], %s::bigint[]) n (stream, version) WHERE s.stream = n.stream"
)
PARKED = "SELECT DISTINCT name FROM projection.parked"


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages of a partition from offset `start` until before `upto`: those that are events,
    each with its offset, and how many are none. `end` is where the partition ends now.
    """

    partition: int
    start: int
    upto: int
    end: int
    events: Sequence[tuple[int, LogRow]]
    refused: int = 0


def place(conn: Connection, partition: int, topic: UUID | None = None) -> int:
    """The offset that is read next, in the topic with this id; None = it is not known."""
    with conn.transaction():
        conn.execute(ADD, (partition, topic))
        return _hold(conn, partition)[0]


def places(conn: Connection) -> dict[int, int]:
    """The offset that is read next in every partition that was ever placed."""
    with conn.transaction():
        return dict(conn.execute(PLACES).fetchall())


def note_end(conn: Connection, partition: int, end: int) -> None:
    """Where a partition ends that may be read only later: the lag tells."""
    with conn.transaction():
        conn.execute(END, (end, partition))


def put_back(conn: Connection, partition: int, start: int, to: int) -> None:
    """Read on from another offset than `start`, in a topic that was made anew under its name."""
    take(conn, None, Batch(partition, start, to, to, ()))


def take(conn: Connection, source: SourceLog | None, batch: Batch) -> int:
    """Fold a batch; returns the offset that is to be read next.

    It is another one than `upto` where somebody else has moved the place, and where a version is
    missing that neither the topic nor the source has brought: there the partition waits.
    """
    with conn.transaction():
        conn.execute(SHARE)
        stored, _ = _hold(conn, batch.partition)
        if stored != batch.start:
            logger.info("partition %d is read by another by now", batch.partition)
            return stored
        taken = _fold_next(conn, source, [row for _, row in batch.events])
        whole = taken == len(batch.events)
        moved = {
            "partition": batch.partition,
            "next": batch.upto if whole else batch.events[taken][0],
            "end": batch.end,
            "position": max((row[0] for _, row in batch.events[:taken]), default=0),
            "refused": batch.refused if whole else 0,
        }
        conn.execute(MOVE, moved)
    return moved["next"]


def fill(
    conn: Connection,
    source: SourceLog,
    partition: int,
    belongs: Callable[[UUID], bool],
    begin: int,
    limit: int,
) -> bool:
    """Fold the next events out of the log itself, because the partition's messages before offset
    `begin` are gone; `belongs` tells which streams are the partition's. True = that is all, and
    reading goes on at `begin`.
    """
    with conn.transaction():
        conn.execute(SHARE)
        stored, position = _hold(conn, partition)
        if stored >= begin:
            return True
        rows = source.behind(position, limit)
        own = [row for row in rows if belongs(row[1])]
        taken = _fold_next(conn, source, own)
        assert taken == len(own), "a log has every version"
        if rows:
            conn.execute(FILLED_UPTO, (rows[-1][0], partition))
        else:
            conn.execute(FILLED, (begin, partition))
        return not rows


def _hold(conn: Connection, partition: int) -> tuple[int, int]:
    """The next offset and the position of a partition, which nobody else moves now."""
    row = conn.execute(HOLD, (partition,)).fetchone()
    assert row is not None, "the partition was never placed"
    return row[0], row[1]


def _fold_next(conn: Connection, source: SourceLog | None, rows: Sequence[LogRow]) -> int:
    """Fold what is next in its stream and drop what is known; returns how many of the rows that
    are, before the first one whose predecessor nobody has.
    """
    builds = current_builds(conn)
    known = _hold_streams(conn, list({row[1] for row in rows}))
    versions = dict(known)
    fresh: list[LogRow] = []
    taken = 0
    for row in rows:
        missing = _missing(source, row, versions[row[1]])
        if missing is None:
            break
        taken += 1
        if row[2] > versions[row[1]]:
            fresh += (*missing, row)
            versions[row[1]] = row[2]
    if fresh:
        parked = {name for (name,) in conn.execute(PARKED)}
        decoded = decoding(source)
        for name, projection in PARTITIONED.items():
            topics = set(projection.topics)
            own = [row for row in fresh if row[4] in topics]
            any_parked = name in parked
            follow(conn, projection, builds[name], own, any_parked=any_parked, decoding=decoded)
        moved = {stream: version for stream, version in versions.items() if version > known[stream]}
        conn.execute(MOVE_STREAMS, (list(moved), list(moved.values())))
    return taken


def _hold_streams(conn: Connection, streams: list[UUID]) -> dict[UUID, int]:
    """The last versions of streams, 0 of new ones; nobody else moves them now."""
    conn.execute(ADD_STREAMS, (streams,))
    return dict(conn.execute(HOLD_STREAMS, (streams,)).fetchall())


def _missing(source: SourceLog | None, row: LogRow, last: int) -> list[LogRow] | None:
    """The events between the last one of a stream and this; None = nobody has them."""
    position, stream, version = row[:3]
    absent = version - last - 1
    if absent <= 0:
        return []
    found = source.between(stream, last, version) if source else []
    if len(found) < absent:
        logger.error(
            "position %d is version %d of stream %s, of which %d is the last here: its partition"
            " waits; %s",
            position, version, stream, last,
            "the log of LEADLOG_KAFKA_LOG has not what is between"
            if source else "set LEADLOG_KAFKA_LOG, and what is between is read from the log",
        )  # fmt: skip
        return None
    logger.warning("%d events of stream %s came from the log, not the topic", absent, stream)
    return found
