"""T11: a row of a copy is changed behind the triggers' back; the verifier names its position."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import psycopg
import pytest

from adapters.embedded import Cluster
from adapters.key_file import KeyFile
from adapters.merkle import CompactRange, leaf_hash
from adapters.postgres.log_check import Checked, Kept, check_log
from adapters.postgres.checkpointing import ROLE, rotate
from adapters.postgres.tables import connect
from adapters.postgres.tile_store import inclusion_proofs, origin, public_keys
from adapters.signed_notes import Checkpoint, Signer, read_checkpoint, sign
from adapters.tiles import Growth
from tests.integration.program import Program
from tests.proving import GoVerifier, build_verifier, checkpointed, fill, stored
from tests.seed import SEED
from tests.size import size

_numbers = count(1)
ROUNDS = size(60, 2_000)
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


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> GoVerifier:
    return build_verifier(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def original(
    cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Covered]:
    """A log under ten checkpoints, with a few events behind the last one."""
    keys = KeyFile(tmp_path_factory.mktemp("keys") / "signing.key")
    rng = Random(SEED)
    with _database(cluster, template) as name:
        dsn, notes, before = cluster.dsn(name), {}, 0
        for number in SIZES:
            fill(dsn, number - before, rng, streams=40)
            notes[number], before = checkpointed(dsn, keys).note, number
        with connect(dsn, "leadlog_auditor") as conn:
            proofs = inclusion_proofs(conn, range(1, EVENTS + 1), EVENTS)
        root = checkpointed(dsn, keys).root
        fill(dsn, UNCOVERED, rng)
        yield Covered(name, keys, notes, proofs, root)


@pytest.fixture
def copy(cluster: Cluster, original: Covered) -> Iterator[str]:
    with _database(cluster, original.name) as name:
        yield cluster.dsn(name)


@contextmanager
def _database(cluster: Cluster, template: str) -> Iterator[str]:
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


HOW = (
    flip_state, change_state, change_topic, change_time, endless_time, change_version,
    change_stream, delete, delete_and_close_up, insert, double, swap, swap_contents, truncate,
)  # fmt: skip


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


def position_of(rng: Random) -> int:
    """Anywhere, and often where checkpoints and tiles begin and end."""
    edges = [n + d for n in SIZES for d in (-1, 0, 1) if 1 <= n + d <= EVENTS]
    return rng.choice([rng.choice(edges), rng.randint(1, EVENTS)])


@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_verifier_names_the_position_and_go_agrees(
    cluster: Cluster, original: Covered, go: GoVerifier, number: int
) -> None:
    print(f"SEED={SEED}")
    rng = Random(SEED + number)
    how, position = HOW[number % len(HOW)], position_of(rng)
    with _database(cluster, original.name) as name:
        dsn = cluster.dsn(name)
        tamper(dsn, how, position, rng)
        expected = position
        if how is swap_contents:
            expected = first_difference(cluster.dsn(original.name), dsn)
        fault = check(dsn).fault
        assert fault
        if how is double:  # the second row at the position may be either one
            assert fault.position == position, (how, position, str(fault))
            return
        assert fault.position == expected, (how, expected, str(fault))
        assert go_names(go, original, dsn) == expected


def first_difference(one: str, other: str) -> int:
    pairs = zip(stored(one), stored(other), strict=True)
    return next(a.position for a, b in pairs if a != b)


def go_names(go: GoVerifier, original: Covered, dsn: str) -> int:
    """The first position of which Go says that no such event is in the signed tree."""
    rows = {event.position: event for event in stored(dsn)}
    requests = [
        {
            "leaf": rows[position].leaf() if position in rows else b"",
            "index": position - 1, "size": EVENTS, "root": original.root, "proof": proof,
        }
        for position, proof in enumerate(original.proofs, 1)
    ]  # fmt: skip
    return go.verdicts(requests).index(False) + 1


def test_an_untouched_copy_verifies(copy: str, original: Covered, go: GoVerifier) -> None:
    checked = check(copy)
    assert checked.fault is None
    assert (checked.events, checked.covered) == (EVENTS + UNCOVERED, EVENTS)
    assert checked.checkpoints == len(SIZES)
    with pytest.raises(ValueError, match="not in list"):
        go_names(go, original, copy)


# What a forger with a superuser's rights does to hide a change.


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


def test_forged_tiles_still_name_the_checkpoints_between_which_it_lies(
    copy: str, original: Covered
) -> None:
    tamper(copy, change_state, 280, Random(1))
    tamper(copy, forge_tiles)
    fault = check(copy).fault
    assert fault and fault.position is None
    assert "between positions 258 and 300 " in str(fault)


CHANGED = "UPDATE audit.tiles SET hashes = overlay(hashes PLACING '\\x00'::bytea FROM 40)"
TILES = {
    f"{CHANGED} WHERE level = 0 AND index = 1": (
        "the stored hash of position 258 was changed; the event itself is"
    ),
    f"{CHANGED} WHERE level = 1": "of level 1, tile 0 are not those of the events",
    "DELETE FROM audit.tiles WHERE level = 1": "of level 1, tile 0 are not those of the events",
    "INSERT INTO audit.tiles SELECT 0, 3, hashes FROM audit.tiles WHERE level = 0 AND index = 0": (
        "hashes of events that no checkpoint covers"
    ),
}


@pytest.mark.parametrize("statement", TILES)
def test_tiles_that_were_changed_alone_do_not_accuse_an_event(copy: str, statement: str) -> None:
    tamper(copy, lambda conn: conn.execute(statement))
    fault = check(copy).fault
    assert fault
    assert fault.position is None
    assert TILES[statement] in str(fault)


def test_a_checkpoint_signed_with_another_key_is_not_valid(copy: str) -> None:
    with connect(copy, "leadlog_auditor") as conn:
        signer = Signer.generate(origin(conn))
    tamper(copy, change_state, 280, Random(1))
    tamper(copy, forge_tiles)
    tamper(copy, forge_notes, signer)
    assert "checkpoint of 1 events is not valid" in str(check(copy).fault)


def test_what_was_forged_with_the_key_itself_shows_against_a_note_kept_outside(
    copy: str, original: Covered, tmp_path: Path
) -> None:
    """Everything rewritten and signed: the database agrees with itself."""
    with connect(copy, "leadlog_auditor") as conn:
        [key] = public_keys(conn)
    signer = original.keys.find(key.verifier)
    assert signer
    tamper(copy, change_state, 280, Random(1))
    tamper(copy, forge_tiles)
    tamper(copy, forge_notes, signer)
    assert check(copy).fault is None
    program = Program(copy)
    for number in (17, 300):
        (tmp_path / str(number)).write_text(original.notes[number])
    assert "649 events" in program("audit", "verify", "--against", str(tmp_path / "17"))
    files = [x for n in (17, 300) for x in ("--against", str(tmp_path / str(n)))]
    said = "between positions 18 and 300 the log is not what the checkpoint in"
    program("audit", "verify", *files, refused=said)


def test_a_log_cut_back_with_its_checkpoints_shows_against_a_note_kept_outside(
    copy: str, original: Covered, tmp_path: Path
) -> None:
    def cut(conn: Conn) -> None:
        conn.execute("DELETE FROM log.leadlog_events WHERE notification_id > 512")
        conn.execute("DELETE FROM audit.checkpoints WHERE size > 512")
        conn.execute("DELETE FROM audit.tiles WHERE level = 0 AND index > 1")

    tamper(copy, cut)
    assert check(copy).fault is None
    note = tmp_path / "640.note"
    note.write_text(original.notes[640])
    Program(copy)("audit", "verify", "--against", str(note), refused="position 513 is missing")


def test_a_note_of_another_log_is_refused(copy: str, original: Covered, tmp_path: Path) -> None:
    program, note = Program(copy), tmp_path / "note"
    signer = Signer.generate("leadlog.other")
    for text, said in (
        (original.notes[640].replace("\n640\n", "\n641\n"), "signature"),
        (sign("leadlog.other\n5\nAAAA\n", [signer]), "none of the keys"),
        ("rubbish", "no signed note"),
    ):
        note.write_text(text)
        program("audit", "verify", "--against", str(note), refused=said)
    program("audit", "verify", "--against", str(tmp_path / "nothing"), refused="No such file")
    note.write_text(sign(Checkpoint("leadlog.other", 640, original.root).text, [signer]))
    key = ("--key", str(signer.verifier))
    program("audit", "verify", "--against", str(note), *key, refused="of the log leadlog.other")


def test_checkpoints_of_a_rotated_key_are_kept_notes_too(copy: str, original: Covered) -> None:
    with connect(copy, "leadlog_auditor") as conn:
        [old] = public_keys(conn)
        found = read_checkpoint(original.notes[640], [old.verifier])
    keys = KeyFile(original.keys.path.with_name("copy.key"))
    keys.path.write_text(original.keys.path.read_text())
    with connect(copy, ROLE, autocommit=True) as conn:
        rotate(conn, keys)
    assert check(copy, Kept("the kept one", found)).fault is None


def test_an_event_behind_the_last_checkpoint_is_checked_for_order(copy: str) -> None:
    """Until a checkpoint covers it, order and readability are all that can be told."""
    tamper(copy, delete, EVENTS + 3, Random(1))
    assert "position 643 is missing" in str(check(copy).fault)
