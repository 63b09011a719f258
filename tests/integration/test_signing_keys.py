"""The keys that sign checkpoints: their file, rotation, loss, and the commands."""

import os
import stat
import threading
from pathlib import Path
from random import Random

import pytest

from adapters.key_file import KeyFile
from adapters.postgres.checkpointing import ROLE, make_checkpoint, rotate
from adapters.postgres.tables import connect
from adapters.postgres.tile_store import (
    newest,
    origin,
    public_keys,
)
from adapters.settings import StartupError
from adapters.signed_notes import Checkpoint, Note, Signer, Verifier
from tests.integration.program import Program
from tests.proving import checkpointed, fill, verdict

ROOT = Path(__file__).parents[2]


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "signing.key")


def test_the_key_file_is_private_and_made_once(dsn: str, second_dsn: str, tmp_path: Path) -> None:
    """By all who ask at once, and for each of the databases that share it."""
    path = tmp_path / "deep" / "signing.key"
    with connect(dsn) as conn:
        name = origin(conn)
    found: list[Signer] = []
    threads = [
        threading.Thread(target=lambda: found.append(KeyFile(path).get_or_add(name)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({str(signer.verifier) for signer in found}) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text().splitlines()) == 1
    other = KeyFile(path).get_or_add("leadlog.other")
    assert KeyFile(path).find(found[0].verifier) and KeyFile(path).find(other.verifier)


def test_a_missing_wrong_or_broken_key_is_said_with_what_to_do(dsn: str, keys: KeyFile) -> None:
    fill(dsn, 5, Random(1))
    checkpointed(dsn, keys)
    fill(dsn, 1, Random(2))
    right = keys.path.read_text()
    for text in (None, Signer.generate("leadlog.x").private_text(), "rubbish", right.lower()):
        keys.path.unlink(missing_ok=True)
        if text is not None:
            keys.path.write_text(text)
        with pytest.raises(StartupError, match="LEADLOG_SIGNING_KEY_FILE") as refused:
            checkpointed(dsn, keys)
        assert "\n" not in str(refused.value)
    keys.path.write_text(right)
    assert checkpointed(dsn, keys).size == 6


def test_a_rotation_is_signed_by_both_keys_and_old_notes_verify(dsn: str, keys: KeyFile) -> None:
    fill(dsn, 5, Random(1))
    first = checkpointed(dsn, keys)
    with connect(dsn, ROLE, autocommit=True) as conn:
        fill(dsn, 2, Random(2))
        new = rotate(conn, keys)
        both = newest(conn)
        fill(dsn, 3, Random(3))
        last = make_checkpoint(conn, keys)
        assert both and last
        old, current = [key.verifier for key in public_keys(conn)]
    assert current == new
    assert Note.read(first.note).signed_by([old]) == [old]
    assert Note.read(both.note).signed_by([old, new]) == [old, new]
    assert Note.read(last.note).signed_by([old, new]) == [new]
    assert KeyFile(keys.path).find(old), "for a database restored to before the rotation"
    assert verdict(dsn) == "10 covered, 3 checkpoints"


def test_a_rotation_that_is_cut_short_changes_nothing(dsn: str, keys: KeyFile) -> None:
    """The new key is in the file, the database has not heard of it."""
    fill(dsn, 5, Random(1))
    first = checkpointed(dsn, keys)
    keys.add(first.note.partition("\n")[0])
    fill(dsn, 5, Random(2))
    assert checkpointed(dsn, keys).size == 10
    assert verdict(dsn) == "10 covered, 2 checkpoints"


def test_a_lost_key_can_be_replaced_and_that_shows(dsn: str, keys: KeyFile) -> None:
    fill(dsn, 5, Random(1))
    checkpointed(dsn, keys)
    keys.path.unlink()
    with connect(dsn, ROLE, autocommit=True) as conn:
        with pytest.raises(StartupError, match="--lost"):
            rotate(conn, keys)
        new = rotate(conn, keys, lost=True)
        latest = newest(conn)
        assert latest
        known = [key.verifier for key in public_keys(conn)]
    assert Note.read(latest.note).signed_by(known) == [new]
    assert verdict(dsn) == "5 covered, 2 checkpoints"


def test_the_command_signs_and_prints_a_note(dsn: str) -> None:
    program = Program(dsn)
    program("audit", "checkpoint", refused="no events")
    fill(dsn, 5, Random(1))
    printed = program("audit", "checkpoint")
    assert Note.read(printed).text.splitlines()[1] == "5"
    assert program("audit", "checkpoint") == printed
    new = program("keys", "rotate", "--signing")
    fill(dsn, 5, Random(1))
    printed = program("audit", "checkpoint")
    assert Note.read(printed).signed_by([Verifier.read(new)])
    assert "10 covered, 3 checkpoints agree" in program("audit", "verify")


def test_a_database_restored_to_before_a_rotation_signs_with_the_old_key(
    dsn: str, second_dsn: str, keys: KeyFile
) -> None:
    """The second database is the first one's backup: the same log, the same checkpoint."""
    for database in (dsn, second_dsn):
        fill(database, 5, Random(1))
        first = checkpointed(database, keys)
    with connect(dsn, ROLE, autocommit=True) as conn:
        rotate(conn, keys)
    fill(second_dsn, 1, Random(2))
    with connect(second_dsn, "leadlog_auditor") as conn:
        [old] = [key.verifier for key in public_keys(conn)]
    assert Note.read(checkpointed(second_dsn, keys).note).signed_by([old]) == [old]
    assert first.size == 5


def test_a_checkpoint_whose_commit_failed_is_gone_on_from(dsn: str, keys: KeyFile) -> None:
    """It stands in the key file alone."""
    fill(dsn, 5, Random(1))
    with connect(dsn, ROLE, autocommit=True) as conn, conn.transaction(force_rollback=True):
        made = make_checkpoint(conn, keys)
    fill(dsn, 300, Random(2))
    assert made and checkpointed(dsn, keys).size == 305
    assert verdict(dsn) == "305 covered, 1 checkpoints"


def test_what_was_signed_is_kept_by_log_and_survives_new_keys(keys: KeyFile) -> None:
    for name, number in (("leadlog.a", 5), ("leadlog.b", 9), ("leadlog.a", 6)):
        keys.get_or_add(name)
        keys.record(Checkpoint(name, number, bytes(32)))
        keys.add(name)
    again = KeyFile(keys.path)
    assert again.signed("leadlog.a") == Checkpoint("leadlog.a", 6, bytes(32))
    again.forget("leadlog.a")
    assert again.signed("leadlog.a") is None
    assert again.signed("leadlog.b") == Checkpoint("leadlog.b", 9, bytes(32))
    keys.path.write_text("signed leadlog.a 5\n")
    with pytest.raises(StartupError, match="LEADLOG_SIGNING_KEY_FILE"):
        again.signed("leadlog.a")


def test_keys_that_others_can_read_are_told_once(
    keys: KeyFile, caplog: pytest.LogCaptureFixture
) -> None:
    keys.get_or_add("leadlog.a")
    assert not caplog.records
    for mode in (0o640, 0o604):
        keys.path.chmod(mode)
        keys.signed("leadlog.a")
    assert [r.getMessage() for r in caplog.records] == [
        f"{keys.path} holds secret keys and others can read it: run `chmod 600 {keys.path}`"
    ]
    keys.add("leadlog.a")
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o604, "its mode is its owner's choice"


def test_a_lost_master_key_cannot_be_replaced(dsn: str) -> None:
    """--lost is a word about the key that signs."""
    before = Path(os.environ["LEADLOG_MASTER_KEY_FILE"]).read_text()
    Program(dsn)("keys", "rotate", "--lost", refused="--lost goes with --signing")
    assert Path(os.environ["LEADLOG_MASTER_KEY_FILE"]).read_text() == before
