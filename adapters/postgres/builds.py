"""Builds of projections: which one is live, making one beside it, swapping them (blue/green).

A build owns schema `p_<name>_<generation>` and its checkpoint. At most one per projection is
live; the one before it is kept as `old` until the next swap, for a rollback, or until a lead is
erased: an old build follows the log no more, so it would keep what is personal. So would one whose
rebuild was cut short: it is dropped then, unless somebody is at it (the lock `leases.REBUILD`).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from adapters.postgres import leases
from adapters.postgres.tables import Connection, create_indexes, create_tables
from adapters.postgres.views import create_views
from projections.base import Projection

logger = logging.getLogger("leadlog.projections")


@dataclass(frozen=True, slots=True)
class Build:
    """One build of a projection; `version` is the projection's when it was made."""

    name: str
    generation: int
    version: int
    state: str
    position: int

    @property
    def schema(self) -> str:
        """The schema its tables lie in."""
        return f"p_{self.name}_{self.generation}"


COLUMNS = "name, generation, version, state, position"
FIND = f"SELECT {COLUMNS} FROM projection.builds WHERE name = %s AND state = %s"
MAKE_LIVE = "UPDATE projection.builds SET state = 'live' WHERE name = %s AND generation = %s"
# Builds to be dropped: a later one has taken over, or nobody advances them any more and a lead was
# erased since, or they could not fold that. One that is locked is being dropped, or made live, and
# then follows.
STALE = (
    "SELECT {columns} FROM projection.builds b WHERE name = ANY (%(names)s) AND"
    " (state = 'building' AND EXISTS (SELECT FROM projection.builds later"
    "   WHERE later.name = b.name AND later.generation > b.generation)"
    "  OR (state = 'old' OR state = 'building' AND {abandoned})"
    "   AND EXISTS (SELECT FROM privacy.erasures e WHERE e.position > b.position OR EXISTS"
    "    (SELECT FROM projection.parked p WHERE p.name = b.name AND p.generation = b.generation"
    "     AND p.position = e.position)))"
)
MAY_BE_STALE = STALE.format(columns="DISTINCT name", abandoned="true")
ARE_STALE = STALE.format(columns=COLUMNS, abandoned="%(abandoned)s") + " FOR UPDATE SKIP LOCKED"
# Whoever reads a build's tables, as a dump of the database does, is not waited for: there is
# another time.
DROP_WAIT = "SET LOCAL lock_timeout = '200ms'"
# Making and swapping builds of one projection is done by one process at a time.
LOCK = "SELECT pg_advisory_xact_lock(7220502, hashtext(%s))"


def find(conn: Connection, name: str, state: str) -> Build | None:
    """The newest build of a projection in a state."""
    row = conn.execute(f"{FIND} ORDER BY generation DESC LIMIT 1", (name, state)).fetchone()
    return Build(*row) if row else None


def live_builds(conn: Connection) -> dict[str, Build]:
    """The live build of every projection."""
    rows = conn.execute(f"SELECT {COLUMNS} FROM projection.builds WHERE state = 'live'")
    return {row[0]: Build(*row) for row in rows}


def ensure_live(conn: Connection, projection: Projection) -> Build:
    """The live build; made empty when the projection is new to this database."""
    with conn.transaction():
        if build := find(conn, projection.name, "live"):
            return build
        conn.execute(LOCK, (projection.name,))
        if build := find(conn, projection.name, "live"):
            return build
        build = _create(conn, projection, "live")
        create_indexes(conn, projection, build.schema)
        create_views(conn, projection, build.schema)
        return build


def ensure_building(conn: Connection, projection: Projection) -> Build:
    """The build under way for today's version, to be continued; a new one when there is none."""
    with conn.transaction():
        conn.execute(LOCK, (projection.name,))
        build = find(conn, projection.name, "building")
        if build and build.version == projection.version:
            return build
        return _create(conn, projection, "building")


def swap(conn: Connection, projection: Projection, new: Build) -> None:
    """Make `new` the live build, within the caller's transaction; the live one becomes old.

    LookupError when others have replaced it already.
    """
    conn.execute(LOCK, (projection.name,))
    if (live := find(conn, projection.name, "live")) and live.generation == new.generation:
        return
    stale = find(conn, projection.name, "old")
    if stale and stale.generation != new.generation:
        drop(conn, stale)
    _set_state(conn, projection.name, "live", "old")
    if not conn.execute(MAKE_LIVE, (new.name, new.generation)).rowcount:
        raise LookupError(f"build {new.generation} of {new.name} is gone: others replaced it")
    create_views(conn, projection, new.schema)


def drop(conn: Connection, build: Build) -> None:
    """Take a build away with its tables, its views and what it parked."""
    conn.execute(
        "DELETE FROM projection.builds WHERE name = %s AND generation = %s",
        (build.name, build.generation),
    )
    conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(build.schema)))


def drop_stale(conn: Connection, names: Iterable[str]) -> None:
    """Drop the builds that still hold what was erased and follow the log no more, and those that
    a later one has replaced. What somebody reads is left for the next call. Not for a session that
    is rebuilding: it would not see its own lock.
    """
    with conn.transaction():
        found = conn.execute(MAY_BE_STALE, {"names": list(names)}).fetchall()
    for (name,) in found:
        try:
            with conn.transaction():
                conn.execute(DROP_WAIT)
                free = conn.execute(leases.IS_FREE, (leases.REBUILD, name)).fetchone()
                given = {"names": [name], "abandoned": free is not None and free[0]}
                for row in conn.execute(ARE_STALE, given).fetchall():
                    drop(conn, Build(*row))
        except psycopg.errors.LockNotAvailable:
            logger.info("%s: a reader holds an outdated build, dropping it later", name)


def _set_state(conn: Connection, name: str, state: str, to: str) -> None:
    conn.execute(
        "UPDATE projection.builds SET state = %s WHERE name = %s AND state = %s", (to, name, state)
    )


def _create(conn: Connection, projection: Projection, state: str) -> Build:
    row = conn.execute(
        "INSERT INTO projection.builds (name, generation, version, state)"
        " SELECT %(name)s, coalesce(max(generation), 0) + 1, %(version)s, %(state)s"
        f" FROM projection.builds WHERE name = %(name)s RETURNING {COLUMNS}",
        {"name": projection.name, "version": projection.version, "state": state},
    ).fetchone()
    assert row is not None
    build = Build(*row)
    conn.execute("SELECT projection.make_schema(%s)", (build.schema,))
    create_tables(conn, projection, build.schema)
    return build
