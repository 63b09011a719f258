"""Blue/green rebuilds: fill a new build beside the live one, catch up, swap, keep the old one.

Killed at any point, a rebuild goes on where its checkpoint stands, unless a lead was erased since:
then what it had made is dropped. Readers see the live build, whole, until the swap and the new one,
whole, after it.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from adapters.postgres import leases, log_reader
from adapters.postgres.builds import Build, drop_stale, ensure_building, ensure_live, find, swap
from adapters.postgres.runner import advance, fold_or_park, park_followers
from adapters.postgres.tables import Connection, create_indexes
from projections.base import Projection

logger = logging.getLogger("leadlog.projections")

REBUILD_BATCH = 10_000
# Where the filling of a new build stands, created on the first call; nulls = not being filled.
FILL_STATE = (
    "SELECT fill_upto, fill_stream, fill_version FROM projection.builds"
    " WHERE name = %s AND generation = %s AND position = 0 FOR UPDATE"
)
FILL_MOVE = (
    "UPDATE projection.builds SET fill_upto = %s, fill_stream = %s, fill_version = %s"
    " WHERE name = %s AND generation = %s"
)
FILL_DONE = (
    "UPDATE projection.builds"
    " SET position = %s, fill_upto = NULL, fill_stream = NULL, fill_version = NULL"
    " WHERE name = %s AND generation = %s"
)
# Holds the live build still, so that readers never see its successor behind it.
HOLD_LIVE = "SELECT FROM projection.builds WHERE name = %s AND state = 'live' FOR UPDATE"

# Whoever reads the live tables waits behind a waiting swap: it gives way, and tries for minutes.
SWAP_WAIT = "SET LOCAL lock_timeout = '200ms'"
SWAP_PAUSE, SWAP_TRIES = 0.5, 600


def rebuild(conn: Connection, projection: Projection) -> Build:
    """Build a projection anew from the whole log and make it the live one."""
    ensure_live(conn, projection)
    with _at_work(conn, projection):
        new = ensure_building(conn, projection)
        if projection.by_stream:
            while _fill(conn, projection, new):
                pass
        _catch_up(conn, projection, new)
        with conn.transaction():
            create_indexes(conn, projection, new.schema)
        live = _go_live(conn, projection, new)
    drop_stale(conn, [projection.name])
    return live


def rebuild_outdated(conn: Connection, projection: Projection) -> None:
    """Rebuild when the live build was made by another version of the projection."""
    live = ensure_live(conn, projection)
    if live.version != projection.version:
        logger.info("%s: rebuilding from version %d", projection.name, live.version)
        rebuild(conn, projection)


def roll_back(conn: Connection, projection: Projection) -> Build | None:
    """Make the build before the live one live again; None when this version has none.

    Another version's build can only be brought up to date by the program that made it.
    """
    with conn.transaction():
        old = find(conn, projection.name, "old")
    if old is None or old.version != projection.version:
        return None
    live = _go_live(conn, projection, old)
    drop_stale(conn, [projection.name])
    return live


@contextmanager
def _at_work(conn: Connection, projection: Projection) -> Iterator[None]:
    """Nobody takes the build under way for one that was left behind."""
    lease = leases.REBUILD, projection.name
    with conn.transaction():
        conn.execute(leases.HOLD, lease)
    try:
        yield
    finally:
        if not conn.broken:
            with conn.transaction():
                conn.execute(leases.LET_GO, lease)


def _go_live(conn: Connection, projection: Projection, build: Build) -> Build:
    """Swap once nobody is in the middle of a long read; other readers get through meanwhile."""
    for _ in range(SWAP_TRIES - 1):
        try:
            return _swap(conn, projection, build)
        except psycopg.errors.LockNotAvailable:
            logger.info("%s: a reader holds the live tables, trying again", projection.name)
            time.sleep(SWAP_PAUSE)
    return _swap(conn, projection, build)


def _swap(conn: Connection, projection: Projection, build: Build) -> Build:
    with conn.transaction():
        conn.execute(HOLD_LIVE, (projection.name,))
        _catch_up(conn, projection, build)
        conn.execute(SWAP_WAIT)
        swap(conn, projection, build)
        live = find(conn, projection.name, "live")
    assert live is not None
    return live


def _fill(conn: Connection, projection: Projection, build: Build) -> bool:
    """Fold the next batch of streams into an empty build; False when all are in."""
    me = (build.name, build.generation)
    with conn.transaction():
        state = conn.execute(FILL_STATE, me).fetchone()
        if state is None:
            return False
        upto, stream, version = state
        upto = log_reader.head(conn) if upto is None else upto
        place = log_reader.START if stream is None else (stream, version)
        rows = log_reader.read_streams(conn, projection, place, upto, REBUILD_BATCH)
        if not rows:
            conn.execute(FILL_DONE, (upto, *me))
            return False
        fold_or_park(conn, projection, build, park_followers(conn, build, rows))
        conn.execute(FILL_MOVE, (upto, rows[-1][1], rows[-1][2], *me))
        return True


def _catch_up(conn: Connection, projection: Projection, build: Build) -> None:
    while not advance(conn, projection, build, limit=REBUILD_BATCH).done:
        pass
