"""Events that a projection could not fold: set aside with their reason, and folded again later."""

from collections.abc import Sequence
from uuid import UUID

from adapters.postgres import log_reader
from adapters.postgres.builds import Build, ensure_live
from adapters.postgres.log_reader import LogRow
from adapters.postgres.rebuild import rebuild
from adapters.postgres.runner import fold_or_park
from adapters.postgres.tables import Connection
from projections.base import Projection

COUNTS = "SELECT name, generation, count(*) FROM projection.parked GROUP BY name, generation"
# An erasure waits for nothing: what is folded again would come behind it.
ERASED = "SELECT EXISTS (SELECT FROM privacy.erasures WHERE stream = ANY (%s))"
POSITIONS = "SELECT position FROM projection.parked WHERE name = %s AND generation = %s"
STREAMS = (
    "SELECT stream, count(*) FROM projection.parked WHERE name = %s AND generation = %s"
    " GROUP BY stream ORDER BY min(position)"
)
# Takes a stream's parked events out of the book; what fails again goes back in.
TAKE = (
    "WITH taken AS (DELETE FROM projection.parked"
    " WHERE name = %s AND generation = %s AND stream = %s RETURNING position)"
    f" SELECT {log_reader.COLUMNS} FROM log.leadlog_events"
    " WHERE notification_id IN (SELECT position FROM taken) ORDER BY notification_id"
)
HOLD = "SELECT FROM projection.builds WHERE name = %s AND generation = %s FOR UPDATE"


def parked_counts(conn: Connection) -> dict[tuple[str, int], int]:
    """(projection, generation) -> number of parked events."""
    return {(name, generation): n for name, generation, n in conn.execute(COUNTS)}


def parked_positions(conn: Connection, build: Build) -> set[int]:
    """The positions of a build's parked events."""
    return {position for (position,) in conn.execute(POSITIONS, (build.name, build.generation))}


def retry(conn: Connection, projection: Projection) -> tuple[int, int]:
    """Fold the live build's parked events again, stream by stream, each in a transaction.

    Where a row depends on the order of several streams' events, and where one of the streams was
    erased meanwhile, the projection is built anew.
    Returns how many are folded now and how many are still parked.
    """
    build = ensure_live(conn, projection)
    streams, tried = _waiting(conn, build)
    if tried and (any(t.whole for t in projection.tables) or _any_erased(conn, streams)):
        build = rebuild(conn, projection)
    else:
        for stream in streams:
            _retry_stream(conn, projection, build, stream)
    _, left = _waiting(conn, build)
    return tried - left, left


def _waiting(conn: Connection, build: Build) -> tuple[list[UUID], int]:
    """The streams that wait, in the order of their first events, and all their events' number."""
    with conn.transaction():
        rows = conn.execute(STREAMS, (build.name, build.generation)).fetchall()
    return [stream for stream, _ in rows], sum(n for _, n in rows)


def _any_erased(conn: Connection, streams: Sequence[UUID]) -> bool:
    with conn.transaction():
        row = conn.execute(ERASED, (list(streams),)).fetchone()
    assert row is not None
    return bool(row[0])


def _retry_stream(conn: Connection, projection: Projection, build: Build, stream: UUID) -> None:
    with conn.transaction():
        conn.execute(HOLD, (build.name, build.generation))
        cursor = conn.cursor(binary=True)
        cursor.execute(TAKE, (build.name, build.generation, stream))
        rows: Sequence[LogRow] = cursor.fetchall()
        fold_or_park(conn, projection, build, rows)
