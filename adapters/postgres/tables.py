"""A projection's tables in PostgreSQL: made from its row types, loaded and stored set-based.

`place` is the schema they lie in; `pg_temp` makes scratch tables that the transaction drops.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from copy import copy
from dataclasses import fields
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, TypeAlias
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql
from psycopg.types.json import JsonbBinaryDumper, set_json_dumps, set_json_loads

from adapters.postgres import log_reader
from aggregates.event import Recorded
from projections.base import Projection, Table, WorkingSet, visible

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

SCRATCH = "pg_temp"
BY_INDEX = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
"""What is switched off for a statement that is to find its rows one by one."""
_MUTABLE = {"jsonb", "text[]"}
"""A fold may change a value of these types in place, in a row and in its copy alike."""


def connect(dsn: str, role: str = "leadlog_projector", *, autocommit: bool = False) -> Connection:
    """A connection acting as `role`, with JSON through msgspec. Rows come as tuples."""
    conn = psycopg.connect(dsn, autocommit=True, connect_timeout=10)
    conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    conn.autocommit = autocommit
    set_json_loads(msgspec.json.decode, conn)
    set_json_dumps(msgspec.json.encode, conn)
    conn.adapters.register_dumper(dict, JsonbBinaryDumper)
    return conn


def create_tables(conn: Connection, projection: Projection, place: str) -> None:
    """Make the projection's tables with their keys, and what finds a lead's rows in those that an
    erasure changes: it does so while they are filled, too. Other indexes come separately.
    """
    for table in projection.tables:
        columns = [
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
            for name, kind in table.columns.items()
        ]
        statement = sql.SQL("CREATE {temp} TABLE {name} ({columns}, PRIMARY KEY ({key})) {end}")
        conn.execute(
            statement.format(
                temp=sql.SQL("TEMPORARY" if place == SCRATCH else ""),
                name=sql.Identifier(place, table.name),
                columns=sql.SQL(", ").join(columns),
                key=sql.SQL(", ").join(map(sql.Identifier, table.key)),
                end=sql.SQL("ON COMMIT DROP" if place == SCRATCH else ""),
            )
        )
        if table.personal:
            _create_index(conn, table, place, 0)


def create_indexes(conn: Connection, projection: Projection, place: str) -> None:
    """Make the secondary indexes, where they are not there yet."""
    for table in projection.tables:
        for n in range(len(table.indexes)):
            _create_index(conn, table, place, n)


def _create_index(conn: Connection, table: Table[Any], place: str, number: int) -> None:
    statement = sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} {}").format(
        sql.Identifier(f"{table.name}_{number}"),
        sql.Identifier(place, table.name),
        sql.SQL(table.indexes[number]),
    )
    conn.execute(statement)


def fold(conn: Connection, projection: Projection, place: str, batch: Sequence[Recorded]) -> None:
    """Load the rows the batch needs, fold it, store what became of them."""
    if not batch:
        return
    working = WorkingSet()
    loaded = {t.name: _load(conn, t, place, batch, working) for t in projection.tables}
    projection.fold(working, batch)
    for table in projection.tables:
        if table.facts:
            _copy(conn, table, place, working.facts.get(table.name, ()))
            _forget(conn, table, place, working.forgotten.get(table.name, {}))
        else:
            _replace(conn, table, place, loaded[table.name], working)


def fold_prefix(
    conn: Connection,
    projection: Projection,
    upto: int,
    *,
    as_of: datetime | None = None,
    skip: Container[int] = frozenset(),
) -> None:
    """Fold the log up to a position into scratch tables that live until the transaction ends."""
    create_tables(conn, projection, SCRATCH)
    for rows in log_reader.prefix(conn, projection, upto):
        kept = [row for row in rows if row[0] not in skip]
        batch = log_reader.decode_for(conn, projection, kept)
        fold(conn, projection, SCRATCH, visible(batch, as_of))


def _load(
    conn: Connection,
    table: Table[Any],
    place: str,
    batch: Sequence[Recorded],
    working: WorkingSet,
) -> dict[Any, Any]:
    """Put the rows a batch needs into the working set; returns their keys, and what they were where
    a copy tells whether they have changed, or few of them do: in a whole table, and where a stream
    has several.
    """
    if table.facts:
        return {}
    cursor = conn.cursor(binary=True)
    if table.whole:
        cursor.execute(_selection(table, place))
    else:
        cursor.execute(_selection(table, place), (list({r.stream for r in batch}),))
    rows = working.rows(table)
    width = len(table.key)
    for record in cursor:
        rows[record[:width] if table.several else record[0]] = table.row(*record)
    compared = table.whole or table.several or _MUTABLE.isdisjoint(table.columns.values())
    return {key: copy(row) if compared else None for key, row in rows.items()}


def _replace(
    conn: Connection, table: Table[Any], place: str, known: Mapping[Any, Any], working: WorkingSet
) -> None:
    """Put the working set's rows in the place of those it was loaded with."""
    rows = working.rows(table)
    changed = {key: row for key, row in rows.items() if known.get(key) != row}
    if gone := [key for key in known if key in changed or key not in rows]:
        _delete(conn, table, place, gone)
    _copy(conn, table, place, list(changed.values()))


def _delete(conn: Connection, table: Table[Any], place: str, keys: Sequence[Any]) -> None:
    """Delete the rows with these keys, set-based."""
    arrays = list(zip(*keys, strict=True)) if table.several else [keys]
    conn.execute(_deletion(table, place), [list(values) for values in arrays])


def _copy(conn: Connection, table: Table[Any], place: str, rows: Sequence[Any]) -> None:
    """Add rows, by COPY."""
    if not rows:
        return
    values: Callable[[Any], tuple[Any, ...]] = attrgetter(*(f.name for f in fields(table.row)))
    with conn.cursor() as cursor, cursor.copy(_copying(table, place)) as copy:
        copy.set_types(list(table.columns.values()))
        for row in rows:
            copy.write_row(values(row))


def _forget(conn: Connection, table: Table[Any], place: str, erased: Mapping[UUID, int]) -> None:
    """Empty what is personal in facts of leads before the position at which each was erased. (The
    fold itself empties keyed rows: those are loaded.)
    """
    if not erased:
        return
    names = [sql.Identifier(name) for name in table.personal]
    statement = sql.SQL(
        "UPDATE {table} AS t SET {emptied}"
        " FROM unnest(%s::uuid[], %s::bigint[]) AS e (lead, position)"
        " WHERE t.lead = e.lead AND t.position < e.position AND num_nonnulls({names}) > 0"
    ).format(
        table=sql.Identifier(place, table.name),
        emptied=sql.SQL(", ").join(sql.SQL("{} = NULL").format(name) for name in names),
        names=sql.SQL(", ").join(names),
    )
    # Left alone the planner, which knows nothing of a table that is being filled, reads it whole.
    for path in BY_INDEX:
        conn.execute(f"SET LOCAL {path} = off")
    conn.execute(statement, (list(erased), list(erased.values())))
    for path in BY_INDEX:
        conn.execute(f"SET LOCAL {path} TO DEFAULT")


@cache
def _selection(table: Table[Any], place: str) -> bytes:
    """Reads the table whole, or the rows of some streams. Making a statement takes as long as
    running it.
    """
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    everything = sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(place, table.name))
    if table.whole:
        return everything.as_bytes()
    wanted = sql.SQL("{} WHERE {} = ANY (%s)").format(everything, sql.Identifier(table.key[0]))
    return wanted.as_bytes()


@cache
def _deletion(table: Table[Any], place: str) -> bytes:
    """Deletes the rows with the keys in arrays, one for each column of the key."""
    arrays = (sql.SQL("%s::{}[]").format(sql.SQL(table.columns[name])) for name in table.key)
    statement = sql.SQL("DELETE FROM {} WHERE ({}) IN (SELECT * FROM unnest({}))").format(
        sql.Identifier(place, table.name),
        sql.SQL(", ").join(map(sql.Identifier, table.key)),
        sql.SQL(", ").join(arrays),
    )
    return statement.as_bytes()


@cache
def _copying(table: Table[Any], place: str) -> bytes:
    """Takes rows in PostgreSQL's binary form."""
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)")
    return statement.format(sql.Identifier(place, table.name)).as_bytes()
