"""A database that is fed from a topic: which one, how far it is, beginning anew (docs/adr/0018).

Its own log is empty and stays so. It has the projections whose rows belong to one stream each: a
partition of the topic then brings all that they depend on.
"""

from collections.abc import Collection, Mapping
from secrets import token_hex

import psycopg

from adapters.company import FEED
from adapters.postgres import log_reader
from adapters.postgres.builds import Build, drop, ensure_live, live_builds
from adapters.postgres.tables import Connection, connect
from adapters.settings import Settings, StartupError
from projections.base import Projection
from projections.catalogue import PROJECTIONS

PARTITIONED: Mapping[str, Projection] = {
    name: projection
    for name, projection in PROJECTIONS.items()
    if not any(table.whole for table in projection.tables)
}
"""All but those with totals over many streams."""

GROUP = "feed_group"
FACT = "SELECT value FROM log.company WHERE name = %s"
KEEP = "INSERT INTO log.company (name, value) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING"
CHANGE = (
    "INSERT INTO log.company (name, value) VALUES (%s, %s)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
# Shared by whoever takes a batch or marks: beginning anew waits for them, and they for it.
SHARE = "SELECT pg_advisory_xact_lock_shared(7220508)"
ALONE = "SELECT pg_advisory_xact_lock(7220508)"
READ = (
    "SELECT partition FROM projection.partitions WHERE next_offset > 0 OR position > 0"
    " ORDER BY partition"
)
STARTED = "SELECT EXISTS (SELECT FROM projection.streams)"
BACK = "UPDATE projection.partitions SET next_offset = 0, position = 0, refused = 0"
# One at a time, and whoever is second leaves it at that.
TRY_TO_MARK = "SELECT pg_try_advisory_xact_lock(7220509)"
# What is read of the topic is in the tables up to here: the lowest position of a partition that has
# more, or the highest of all.
MARK = (
    "UPDATE projection.builds SET position = p.position FROM (SELECT coalesce("
    " min(position) FILTER (WHERE next_offset < end_offset), max(position), 0) AS position"
    " FROM projection.partitions) p WHERE state = 'live' AND name = ANY (%s)"
    " AND builds.position <> p.position"
)
LAG = "SELECT coalesce(sum(end_offset - next_offset), 0)::bigint FROM projection.partitions"


def claim(dsn: str, topic: str, settings: Settings) -> str:
    """Make a database the topic's, if it is not yet, with its read models; returns what its group
    of consumers is called by default. StartupError for a database with a log or a topic of its own,
    and where the read models or the partitions are not those of this program and its settings.
    """
    with psycopg.connect(dsn) as conn:
        conn.execute("SELECT log.lock_for_append()")
        if log_reader.head(conn):
            raise StartupError(
                "--from-kafka: this database has events of its own: use another one, which is"
                " made empty by LEADLOG_DATABASE or LEADLOG_DATA_DIR of its own"
            )
        conn.execute(KEEP, (FEED, topic))
        if (kept := _fact(conn, FEED)) != topic:
            raise StartupError(
                f"--from-kafka: this database is fed from {kept}, not {topic}: use another one"
            )
        conn.execute(KEEP, (GROUP, f"{topic}.{conn.info.dbname}.{token_hex(4)}"))
        for name, value in (("timezone", settings.timezone), ("currency", settings.currency)):
            conn.execute(CHANGE, (name, value))
        group = _fact(conn, GROUP)
    with connect(dsn) as conn:
        _make_tables(conn)
        _require_partitions(conn, settings.kafka_read_partitions)
    return group or topic


def fed_from(conn: Connection) -> str | None:
    """The topic that a database is fed from; None for one with a log of its own."""
    with conn.transaction():
        return _fact(conn, FEED)


def current_builds(conn: Connection) -> dict[str, Build]:
    """The live builds; StartupError unless all are of this program's version."""
    builds = live_builds(conn)
    for name, projection in PARTITIONED.items():
        build = builds.get(name)
        if build is None or build.version != projection.version:
            raise StartupError(
                f"{name} is not as this version of the program makes it: run `leadlog projections"
                " rebuild --all`, which empties the tables first, or feed another database"
            )
    return builds


def begin_anew(conn: Connection) -> None:
    """Empty the tables; the topic is read from its beginning. One transaction."""
    with conn.transaction():
        conn.execute(ALONE)
        conn.execute("DELETE FROM projection.streams")
        conn.execute(BACK)
        builds = live_builds(conn)
        for name, projection in PARTITIONED.items():
            if name in builds:
                drop(conn, builds[name])
            ensure_live(conn, projection)


def mark(conn: Connection) -> None:
    """Let the builds say up to where the topic is in the tables."""
    with conn.transaction():
        conn.execute(SHARE)
        row = conn.execute(TRY_TO_MARK).fetchone()
        if row and row[0]:
            conn.execute(MARK, (list(PARTITIONED),))


def lag(conn: Connection) -> int:
    """How many messages the partitions had more when they were last read."""
    row = conn.execute(LAG).fetchone()
    assert row is not None
    return int(row[0])


def _make_tables(conn: Connection) -> None:
    with conn.transaction():
        row = conn.execute(STARTED).fetchone()
    if row and not row[0]:  # what is new later would lack the past
        for projection in PARTITIONED.values():
            ensure_live(conn, projection)
    with conn.transaction():
        current_builds(conn)


def _require_partitions(conn: Connection, wanted: Collection[int]) -> None:
    """Refuse to leave leads behind: nobody would tell their rows of an erasure."""
    with conn.transaction():
        left = [n for (n,) in conn.execute(READ) if wanted and n not in wanted]
    if left:
        raise StartupError(
            f"--from-kafka: this database has read partition {left[0]}, too: name it in"
            " LEADLOG_KAFKA_READ_PARTITIONS, or feed another database"
        )


def _fact(conn: Connection, name: str) -> str | None:
    row = conn.execute(FACT, (name,)).fetchone()
    return str(row[0]) if row else None
