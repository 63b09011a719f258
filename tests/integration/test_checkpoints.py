"""Checkpoints: every event in the tree, every proof accepted by Go, through kills and races."""

import os
import re
import threading
import time
from pathlib import Path
from random import Random

import psycopg
import pytest

from adapters.key_file import KeyFile
from adapters.merkle import root_of
from adapters.postgres import checkpointing
from adapters.postgres.checkpointing import ROLE, make_checkpoint
from adapters.postgres.tables import connect
from adapters.postgres.tile_store import (
    consistency_proof,
    inclusion_proofs,
    newest,
    origin,
    public_keys,
    root_at,
)
from adapters.signed_notes import BadNote, Checkpoint, Signer, Verifier, read_checkpoint, sign
from tests.forked import Forked, leadlog
from tests.proving import GoVerifier, build_verifier, checkpointed, fill, stored, verdict
from tests.seed import SEED
from tests.size import size

ROOT = Path(__file__).parents[2]


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "signing.key")


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> GoVerifier:
    return build_verifier(tmp_path_factory.mktemp("go"))


def test_every_size_has_the_proofs_that_go_accepts(dsn: str, keys: KeyFile, go: GoVerifier) -> None:
    """1..70, then random larger ones over several tiles, each on top of the one before."""
    print(f"SEED={SEED}")
    rng = Random(SEED)
    sizes = [*range(1, 71), *sorted(rng.sample(range(71, size(1500, 140_000)), size(6, 40)))]
    roots: dict[int, bytes] = {}
    requests = []
    for number in sizes:
        fill(dsn, number - max(roots, default=0), rng)
        found = checkpointed(dsn, keys)
        assert found.size == number
        roots[number] = found.root
    events = stored(dsn)
    with connect(dsn, "leadlog_auditor") as conn:
        for number in sizes:
            assert root_at(conn, number) == roots[number]
            some = range(number) if number <= 70 else rng.sample(range(number), 40)
            for index, proof in zip(
                some, inclusion_proofs(conn, [i + 1 for i in some], number), strict=True
            ):
                leaf = events[index].leaf()
                requests.append({"leaf": leaf, "index": index, "proof": proof})
                requests[-1] |= {"size": number, "root": roots[number]}
            for old in rng.sample([s for s in sizes if s <= number], min(number, 8)):
                proof = consistency_proof(conn, old, number)
                requests.append({"old_size": old, "old_root": roots[old], "proof": proof})
                requests[-1] |= {"size": number, "root": roots[number]}
    assert root_of(event.hash() for event in events) == roots[sizes[-1]]
    assert all(go.verdicts(requests))
    wrong = [r | {"proof": [*r["proof"], roots[1]]} for r in rng.sample(requests, 50)]
    wrong += [r | {"leaf": b"?"} for r in requests if "leaf" in r][:50]
    assert not any(go.verdicts(wrong))
    assert verdict(dsn) == f"{sizes[-1]} covered, {len(sizes)} checkpoints"


def test_nothing_new_is_no_new_checkpoint(dsn: str, keys: KeyFile) -> None:
    with connect(dsn, ROLE, autocommit=True) as conn:
        assert make_checkpoint(conn, keys) is None
        fill(dsn, 5, Random(1))
        first = make_checkpoint(conn, keys)
        assert make_checkpoint(conn, keys) == first == newest(conn)
        assert count(dsn, "audit.checkpoints") == 1


def test_a_checkpoint_is_a_note_that_only_this_log_has_signed(dsn: str, keys: KeyFile) -> None:
    fill(dsn, 5, Random(1))
    found = checkpointed(dsn, keys)
    with connect(dsn) as conn, conn.transaction():
        conn.execute("SET LOCAL ROLE leadlog_auditor")
        [key] = public_keys(conn)
        name = origin(conn)
    assert name.startswith("leadlog.")
    checkpoint = read_checkpoint(found.note, [key.verifier])
    assert checkpoint == Checkpoint(name, 5, found.root)
    assert Verifier.read(str(key.verifier)) == key.verifier
    for other in (
        found.note.replace("\n5\n", "\n6\n"),
        sign(checkpoint.text, [Signer.generate(name)]),
    ):
        with pytest.raises(BadNote):
            read_checkpoint(other, [key.verifier])


def test_sql_makes_the_leaf_that_python_makes(dsn: str) -> None:
    fill(dsn, 20, Random(SEED))
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(
            "SELECT audit.leaf(e) FROM log.leadlog_events e ORDER BY notification_id"
        ).fetchall()
    assert [bytes(leaf) for (leaf,) in rows] == [event.leaf() for event in stored(dsn)]


def test_the_sql_of_the_documentation_makes_the_hashes(dsn: str) -> None:
    fill(dsn, 20, Random(SEED))
    page = (ROOT / "docs/reference/proof.md").read_text(encoding="utf-8")
    [statement] = re.findall(r"```sql\n(.*?);[^;]*```", page, re.DOTALL)
    with psycopg.connect(dsn) as conn:
        conn.execute("SET ROLE leadlog_auditor")
        rows = conn.execute(statement).fetchall()
    assert rows == [(event.position, event.hash()) for event in stored(dsn)]


def test_those_who_sign_at_once_make_one_tree(dsn: str, keys: KeyFile) -> None:
    """While others append."""
    rng = Random(SEED)
    fill(dsn, 10, rng)
    wrong: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(15):
                checkpointed(dsn, keys)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        fill(dsn, rng.randint(1, 300), rng)
    for thread in threads:
        thread.join()
    assert not wrong
    checkpointed(dsn, keys)
    assert verdict(dsn).startswith(f"{len(stored(dsn))} covered")


def sign_in_small_batches(dsn: str, keys: Path) -> None:
    checkpointing.BATCH = 256
    with connect(dsn, ROLE, autocommit=True) as conn:
        make_checkpoint(conn, KeyFile(keys))


def test_a_killed_worker_leaves_a_whole_tree(dsn: str, keys: KeyFile) -> None:
    print(f"SEED={SEED}")
    rng = Random(SEED)
    fill(dsn, 20, rng)
    checkpointed(dsn, keys)
    for _ in range(size(3, 40)):
        fill(dsn, size(3_000, 40_000), rng)
        with Forked(sign_in_small_batches, dsn, keys.path):
            time.sleep(rng.random() * 0.3)
        assert re.fullmatch(r"\d+ covered, \d+ checkpoints", verdict(dsn))
    assert checkpointed(dsn, keys).size == len(stored(dsn))
    assert verdict(dsn).startswith(f"{len(stored(dsn))} covered")


def test_the_worker_signs_by_itself_and_early_when_much_is_new(dsn: str, tmp_path: Path) -> None:
    env = os.environ | {
        "LEADLOG_DATABASE": dsn, "LEADLOG_ALLOW_UNSAFE_POSTGRES": "true",
        "LEADLOG_SIGNING_KEY_FILE": str(tmp_path / "signing.key"),
        "LEADLOG_SEAL_SECONDS": "3600", "LEADLOG_SEAL_EVENTS": "50",
    }  # fmt: skip
    fill(dsn, 5, Random(1))
    with leadlog("worker", "--only", "seal", environment=env) as worker:
        await_size(dsn, 5)
        fill(dsn, 49, Random(2))
        time.sleep(2.5)
        assert newest_size(dsn) == 5
        fill(dsn, 1, Random(3))
        await_size(dsn, 55)
        worker.terminate()
        assert worker.wait(15) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.checkpoints SET size = 6",
        "DELETE FROM audit.checkpoints",
        "TRUNCATE audit.checkpoints",
        "DELETE FROM audit.tiles",
        "TRUNCATE audit.tiles",
        r"UPDATE audit.tiles SET hashes = sha256('\x00')",
        "UPDATE audit.tiles SET index = 7",
        "DELETE FROM audit.signing_keys",
        "UPDATE audit.signing_keys SET verifier = 'x'",
    ],
)
def test_the_owner_too_only_adds_to_the_tree(dsn: str, keys: KeyFile, statement: str) -> None:
    fill(dsn, 5, Random(1))
    checkpointed(dsn, keys)
    with psycopg.connect(dsn) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute(statement)


def test_no_checkpoint_goes_on_from_a_tree_that_was_changed(dsn: str, keys: KeyFile) -> None:
    fill(dsn, 5, Random(1))
    checkpointed(dsn, keys)
    for statement in (
        r"UPDATE audit.tiles SET hashes = overlay(hashes PLACING '\x00'::bytea FROM 40)",
        "DELETE FROM audit.tiles",
        "DELETE FROM log.leadlog_events WHERE notification_id = 5",
        "UPDATE log.leadlog_events SET notification_id = 7 WHERE notification_id = 6",
    ):
        with psycopg.connect(dsn) as conn:
            conn.execute("SET LOCAL session_replication_role = replica")
            if "= 7" in statement or "tiles" in statement:
                fill_one(conn)
            conn.execute(statement)
            conn.execute("SET LOCAL ROLE leadlog_sealer")
            with pytest.raises(Exception, match=r"audit verify|tiles of the tree"):
                make_checkpoint(conn, keys)
            conn.rollback()
    fill(dsn, 1, Random(2))
    assert checkpointed(dsn, keys).size == 6


def fill_one(conn: psycopg.Connection[tuple[object, ...]]) -> None:
    conn.execute(
        "INSERT INTO log.leadlog_events SELECT gen_random_uuid(), 1, topic, state, 6, now()"
        " FROM log.leadlog_events LIMIT 1"
    )


def count(dsn: str, table: str) -> int:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row
    return int(row[0])


def newest_size(dsn: str) -> int:
    with connect(dsn, "leadlog_auditor") as conn:
        found = newest(conn)
    return found.size if found else 0


def await_size(dsn: str, wanted: int) -> None:
    deadline = time.monotonic() + 30
    while newest_size(dsn) != wanted:
        assert time.monotonic() < deadline, newest_size(dsn)
        time.sleep(0.05)
