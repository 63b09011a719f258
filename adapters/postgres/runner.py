"""Advances projections along the log: a batch, its rows and the checkpoint in one transaction.

An event that cannot be folded is parked with its reason, and so are the later events of its
stream, in that projection only; everything else goes on. An erasure waits for nothing.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import psycopg

from adapters.postgres import log_reader
from adapters.postgres.builds import Build, drop_stale, ensure_live
from adapters.postgres.log_reader import LogRow
from adapters.postgres.tables import Connection, connect, fold
from aggregates.event import Recorded
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.privacy import mask_text
from commands.ports import Unavailable
from projections.base import Projection
from projections.catalogue import PROJECTIONS

logger = logging.getLogger("leadlog.projections")

Decoding: TypeAlias = Callable[[Projection, Sequence[LogRow]], list[Recorded]]
"""Events as a projection needs them, as `log_reader.decode_for`."""

BATCH = 2_000
WAITS = "waits for an earlier event of its stream"
ERASURE = PersonalDataErased.topic

CHECKPOINT = (
    "SELECT position, EXISTS (SELECT FROM projection.parked p"
    " WHERE p.name = b.name AND p.generation = b.generation)"
    " FROM projection.builds b WHERE name = %s AND generation = %s FOR UPDATE"
)
MOVE = "UPDATE projection.builds SET position = %s WHERE name = %s AND generation = %s"
PARKED_STREAMS = (
    "SELECT DISTINCT stream FROM projection.parked"
    " WHERE name = %s AND generation = %s AND stream = ANY (%s)"
)
PARK = (
    "INSERT INTO projection.parked (name, generation, stream, position, error)"
    " VALUES (%s, %s, %s, %s, %s)"
)
# What the database says of a row that it refuses may quote it; of the error its type is left. What
# stands behind the erasure never held what is gone.
FORGET_WHY = (
    "UPDATE projection.parked p SET error = split_part(p.error, ':', 1)"
    " FROM unnest(%s::uuid[], %s::bigint[]) erased (stream, position)"
    " WHERE p.name = %s AND p.generation = %s"
    " AND p.stream = erased.stream AND p.position < erased.position"
)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a build stands after a batch, and where the log ended when it was read."""

    position: int
    head: int

    @property
    def done(self) -> bool:
        """Nothing was left to read."""
        return self.position >= self.head


def advance(
    conn: Connection,
    projection: Projection,
    build: Build,
    *,
    upto: int | None = None,
    limit: int = BATCH,
) -> Progress:
    """Fold the next batch into a build and move its checkpoint, in one transaction."""
    with conn.transaction():
        row = conn.execute(CHECKPOINT, (build.name, build.generation)).fetchone()
        if row is None:  # replaced, and its successor too: nothing is left to do here
            return Progress(0, 0)
        position, any_parked = row
        head = log_reader.head(conn) if upto is None else upto
        if position >= head:
            return Progress(position, head)
        rows = log_reader.read(conn, projection, position, head, limit)
        reached = rows[-1][0] if len(rows) == limit else head
        follow(conn, projection, build, rows, any_parked=any_parked)
        conn.execute(MOVE, (reached, build.name, build.generation))
        return Progress(reached, head)


def follow(
    conn: Connection,
    projection: Projection,
    build: Build,
    rows: Sequence[LogRow],
    *,
    any_parked: bool,
    decoding: Decoding | None = None,
) -> None:
    """Fold what comes next in its streams into a build, within the caller's transaction."""
    if any_parked:
        rows = park_followers(conn, build, rows)
    fold_or_park(conn, projection, build, rows, decoding)
    if erased := [(row[1], row[0]) for row in rows if row[4] == ERASURE]:
        streams, positions = map(list, zip(*erased, strict=True))
        conn.execute(FORGET_WHY, (streams, positions, build.name, build.generation))


def catch_up(dsn: str, names: Iterable[str] | None = None) -> None:
    """Bring projections (all of them by default) up to where the log ends now."""
    with connect(dsn) as conn:
        catch_up_on(conn, PROJECTIONS if names is None else names)


def catch_up_on(conn: Connection, names: Iterable[str]) -> None:
    """The same on a connection that is there."""
    wanted = list(names)
    for name in wanted:
        build = ensure_live(conn, PROJECTIONS[name])
        while not advance(conn, PROJECTIONS[name], build).done:
            pass
    drop_stale(conn, wanted)


def fold_or_park(
    conn: Connection,
    projection: Projection,
    build: Build,
    rows: Sequence[LogRow],
    decoding: Decoding | None = None,
) -> None:
    """Fold all at once; if that fails one by one, parking what cannot be folded."""
    decoding = decoding or partial(log_reader.decode_for, conn)
    try:
        with conn.transaction():
            fold(conn, projection, build.schema, decoding(projection, rows))
    except Exception as error:
        if not _is_the_events_fault(error):
            raise
        logger.exception("a batch of %s failed: folding it event by event", build.name)
        blocked: set[object] = set()
        for row in rows:
            waits = row[1] in blocked and row[4] != ERASURE
            why = WAITS if waits else _fold_one(conn, projection, build, row, decoding)
            if why:
                blocked.add(row[1])
                _park(conn, build, row, why)


def _fold_one(
    conn: Connection, projection: Projection, build: Build, row: LogRow, decoding: Decoding
) -> str | None:
    """Fold one event; returns why not, if it cannot be."""
    try:
        with conn.transaction():
            fold(conn, projection, build.schema, decoding(projection, [row]))
    except Exception as error:
        if not _is_the_events_fault(error):
            raise
        return f"{type(error).__name__}: {_without_values(error)}"
    return None


def _without_values(error: Exception) -> str:
    """What an error says; neither the row that the database refuses nor contact details (A4)."""
    said = isinstance(error, psycopg.Error) and error.diag.message_primary
    return mask_text(said or str(error))


def _is_the_events_fault(error: Exception) -> bool:
    """Whether another event would have fared better; a lost connection, a missing right or a
    missing master key is not.
    """
    too_long = psycopg.errors.ProgramLimitExceeded  # for an index, or as JSON
    own = psycopg.DataError | psycopg.IntegrityError | too_long
    return isinstance(error, own) or not isinstance(error, psycopg.Error | Unavailable)


def _park(conn: Connection, build: Build, row: LogRow, error: str) -> None:
    logger.error("%s parked position %d: %s", build.name, row[0], error)
    conn.execute(PARK, (build.name, build.generation, row[1], row[0], error))


def park_followers(conn: Connection, build: Build, rows: Sequence[LogRow]) -> list[LogRow]:
    """Park the events of streams that already wait, but for erasures; returns the others."""
    streams = list({row[1] for row in rows})
    found = conn.execute(PARKED_STREAMS, (build.name, build.generation, streams))
    waiting = {stream for (stream,) in found}
    going = [row for row in rows if row[1] not in waiting or row[4] == ERASURE]
    for row in rows:
        if row[1] in waiting and row[4] != ERASURE:
            _park(conn, build, row, WAITS)
    return going
