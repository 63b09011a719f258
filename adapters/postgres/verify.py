"""Is every read table still the fold of the log? Compares live tables with a fold made anew."""

from dataclasses import dataclass

from psycopg import sql

from adapters.postgres.builds import live_builds
from adapters.postgres.parking import parked_positions
from adapters.postgres.runner import catch_up_on
from adapters.postgres.tables import SCRATCH, Connection, fold_prefix
from projections.base import Projection, Table
from projections.catalogue import PROJECTIONS

# A key is gone as soon as an erasure is recorded: until the live tables reflect it, they hold what
# no fold of the log can bring back.
ERASED_SINCE = "SELECT EXISTS (SELECT FROM privacy.erasures WHERE position > %s)"
# Rows that only one of two tables has, how many of each.
DIFFERENCES = sql.SQL(
    "SELECT (SELECT count(*) FROM (TABLE {live} EXCEPT ALL TABLE {fold}) x),"
    " (SELECT count(*) FROM (TABLE {fold} EXCEPT ALL TABLE {live}) x)"
)
# The same for equal rows in any order.
HASH = sql.SQL(
    "SELECT to_hex((coalesce(sum(('x' || substr(md5(t::text), 1, 12))::bit(48)::bigint), 0)"
    " % 281474976710656)::bigint) FROM {table} t"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison found in one table: how many rows too many, how many missing."""

    projection: str
    table: str
    position: int
    unexpected: int
    missing: int

    @property
    def equal(self) -> bool:
        """The table is the fold of the log."""
        return not (self.unexpected or self.missing)


def verify(conn: Connection, projection: Projection) -> list[Verdict]:
    """Compare a projection's live tables with a fold of the log up to their checkpoint, once every
    erasure is in them.

    Parked events are in neither.
    """
    while (verdicts := _compared(conn, projection)) is None:
        catch_up_on(conn, [projection.name])
    return verdicts


def _compared(conn: Connection, projection: Projection) -> list[Verdict] | None:
    """None = the live tables do not reflect an erasure yet."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        build = live_builds(conn)[projection.name]
        row = conn.execute(ERASED_SINCE, (build.position,)).fetchone()
        assert row is not None
        if projection.personal and row[0]:
            return None
        fold_prefix(conn, projection, build.position, skip=parked_positions(conn, build))
        return [
            Verdict(projection.name, t.name, build.position, *_differences(conn, t, build.schema))
            for t in projection.tables
        ]


def table_hash(conn: Connection, name: str, schema: str) -> str:
    """One hash over a build's tables, independent of the order of rows."""
    hashes = []
    for table in PROJECTIONS[name].tables:
        row = conn.execute(HASH.format(table=sql.Identifier(schema, table.name))).fetchone()
        assert row is not None
        hashes.append(row[0])
    return "-".join(hashes)


def _differences(conn: Connection, table: Table[object], schema: str) -> tuple[int, int]:
    live, fold = sql.Identifier(schema, table.name), sql.Identifier(SCRATCH, table.name)
    row = conn.execute(DIFFERENCES.format(live=live, fold=fold)).fetchone()
    assert row is not None
    return row[0], row[1]
