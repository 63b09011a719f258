"""A log under checkpoints, and what a superuser does to a copy behind the triggers' back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import psycopg

from adapters.embedded import Cluster
from adapters.key_file import KeyFile
from adapters.merkle import CompactRange, leaf_hash
from adapters.postgres.log_check import Checked, Kept, check_log
from adapters.postgres.tables import connect
from adapters.postgres.tile_store import inclusion_proofs
from adapters.signed_notes import Checkpoint, Signer, sign
from adapters.tiles import Growth
from tests.proving import checkpointed, fill
from tests.seed import SEED

_numbers = count(1)
SIZES = (1, 17, 255, 256, 257, 300, 511, 512, 600, 640)
EVENTS, UNCOVERED = SIZES[-1], 9

Conn = psycopg.Connection[Any]


class Covered(NamedTuple):
    """A log under checkpoints, its name, its notes by size, and the proof of each position."""

    name: str
    keys: KeyFile
    notes: dict[int, str]
    proofs: list[list[bytes]]
    root: bytes


@contextmanager
def covered_log(cluster: Cluster, template: str, directory: Path) -> Iterator[Covered]:
    """A log under ten checkpoints, with a few events behind the last one."""
    keys = KeyFile(directory / "signing.key")
    rng = Random(SEED)
    with copied(cluster, template) as name:
        dsn, notes, before = cluster.dsn(name), {}, 0
        for number in SIZES:
            fill(dsn, number - before, rng, streams=40)
            notes[number], before = checkpointed(dsn, keys).note, number
        with connect(dsn, "leadlog_auditor") as conn:
            proofs = inclusion_proofs(conn, range(1, EVENTS + 1), EVENTS)
        root = checkpointed(dsn, keys).root
        fill(dsn, UNCOVERED, rng)
        yield Covered(name, keys, notes, proofs, root)


@contextmanager
def copied(cluster: Cluster, template: str) -> Iterator[str]:
    name = f"tampered_{next(_numbers)}"
    with psycopg.connect(cluster.dsn("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield name
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


def tamper(dsn: str, how: Callable[..., None], *arguments: Any) -> None:
    with psycopg.connect(dsn) as superuser:
        superuser.execute("SET session_replication_role = replica")  # switches the triggers off
        how(superuser, *arguments)


def check(dsn: str, *kept: Kept) -> Checked:
    with connect(dsn, "leadlog_auditor", autocommit=True) as conn:
        return check_log(conn, kept)


def _shift(conn: Conn, behind: int, by: int) -> None:
    conn.execute(
        "UPDATE log.leadlog_events SET notification_id = -notification_id"
        " WHERE notification_id > %s",
        (behind,),
    )
    conn.execute(
        "UPDATE log.leadlog_events SET notification_id = -notification_id + %s"
        " WHERE notification_id < 0",
        (by,),
    )


def _update(conn: Conn, position: int, change: str) -> None:
    statement = f"UPDATE log.leadlog_events SET {change} WHERE notification_id = {position}"
    assert conn.execute(statement).rowcount == 1


def _row(conn: Conn, query: str, position: int) -> tuple[Any, ...]:
    row = conn.execute(f"{query} WHERE notification_id = {position}").fetchone()
    assert row is not None
    return tuple(row)


def flip_state(conn: Conn, position: int, rng: Random) -> None:
    """One bit of one byte, whatever JSON becomes of it."""
    [length] = _row(conn, "SELECT octet_length(state) FROM log.leadlog_events", position)
    bit = rng.randrange(length * 8)
    _update(conn, position, f"state = set_bit(state, {bit}, 1 - get_bit(state, {bit}))")


def change_state(conn: Conn, position: int, rng: Random) -> None:
    """Bytes that are as good an event as before."""
    _update(conn, position, r"state = replace(convert_from(state, 'UTF8'), 'user:李雷',"
            " 'user:王芳')::bytea")  # fmt: skip


def change_topic(conn: Conn, position: int, rng: Random) -> None:
    [topic] = _row(conn, "SELECT topic FROM log.leadlog_events", position)
    others = {"lead.assigned", "lead.stage-changed", "lead.Assigned", "x"} - {topic}
    _update(conn, position, f"topic = '{rng.choice(sorted(others))}'")


def change_time(conn: Conn, position: int, rng: Random) -> None:
    by = rng.choice(["1 microsecond", "-1 microsecond", "-400 days", "1 hour", "9000 years"])
    _update(conn, position, f"recorded_at = recorded_at + interval '{by}'")


def endless_time(conn: Conn, position: int, rng: Random) -> None:
    _update(conn, position, f"recorded_at = '{rng.choice(['', '-'])}infinity'")


def change_version(conn: Conn, position: int, rng: Random) -> None:
    _update(conn, position, "originator_version = originator_version + 1000")


def change_stream(conn: Conn, position: int, rng: Random) -> None:
    _update(conn, position, "originator_id = gen_random_uuid()")


def delete(conn: Conn, position: int, rng: Random) -> None:
    conn.execute("DELETE FROM log.leadlog_events WHERE notification_id = %s", (position,))


def delete_and_close_up(conn: Conn, position: int, rng: Random) -> None:
    delete(conn, position, rng)
    _shift(conn, position, -1)


def insert(conn: Conn, position: int, rng: Random) -> None:
    _shift(conn, position - 1, 1)
    conn.execute(
        "INSERT INTO log.leadlog_events SELECT gen_random_uuid(), 1, topic, state, %s, recorded_at"
        " FROM log.leadlog_events ORDER BY abs(notification_id - %s) LIMIT 1",
        (position, position),
    )


def double(conn: Conn, position: int, rng: Random) -> None:
    """A second row at a position, which only a dropped index allows."""
    conn.execute("DROP INDEX log.leadlog_events_notification_id_idx")
    conn.execute(
        "INSERT INTO log.leadlog_events SELECT gen_random_uuid(), 1, topic, state, notification_id,"
        " recorded_at FROM log.leadlog_events WHERE notification_id = %s",
        (position,),
    )


def swap(conn: Conn, position: int, rng: Random) -> None:
    other = rng.randint(position + 1, EVENTS + 1)
    for number, to in ((position, -1), (other, position), (-1, other)):
        conn.execute(
            "UPDATE log.leadlog_events SET notification_id = %s WHERE notification_id = %s",
            (to, number),
        )


def swap_contents(conn: Conn, position: int, rng: Random) -> None:
    """Everything but the position of two neighbours with different bytes."""
    conn.execute("UPDATE log.leadlog_events a SET state = b.state FROM log.leadlog_events b"
                 " WHERE (a.notification_id, b.notification_id) IN ((%s, %s), (%s, %s))",
                 (position, position + 1, position + 1, position))  # fmt: skip


def truncate(conn: Conn, position: int, rng: Random) -> None:
    conn.execute("DELETE FROM log.leadlog_events WHERE notification_id >= %s", (position,))


def forge_tiles(conn: Conn) -> None:
    """Make every tile fit the rows as they are."""
    conn.execute("DELETE FROM audit.tiles")
    growth = Growth()
    leaves = conn.execute(
        "SELECT audit.leaf(e) FROM log.leadlog_events e WHERE notification_id <= %s"
        " ORDER BY notification_id", (EVENTS,),
    )  # fmt: skip
    tiles = [t for (leaf,) in leaves for t in growth.append(leaf_hash(leaf))]
    for (level, nth), hashes in [*tiles, *growth.unfinished()]:
        conn.execute("INSERT INTO audit.tiles VALUES (%s, %s, %s)", (level, nth, hashes))


def forge_notes(conn: Conn, signer: Signer) -> None:
    """Make every checkpoint fit the rows as they are, signed with a key."""
    [name] = conn.execute("SELECT value FROM log.company WHERE name = 'origin'").fetchone() or ()
    tree = CompactRange()
    leaves = conn.execute(
        "SELECT audit.leaf(e) FROM log.leadlog_events e ORDER BY notification_id"
    ).fetchall()
    for (leaf,) in leaves:
        tree.append(leaf_hash(leaf))
        note = sign(Checkpoint(name, tree.size, tree.root()).text, [signer])
        conn.execute(
            "UPDATE audit.checkpoints SET root = %s, note = %s WHERE size = %s",
            (tree.root(), note, tree.size),
        )
