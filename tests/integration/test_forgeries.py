"""What a forger with a superuser's rights does to hide a change, and where it shows (T11)."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from adapters.checkpoint_duty import run_forever
from adapters.company import open_company
from adapters.embedded import Cluster
from adapters.key_file import KeyFile
from adapters.postgres.checkpointing import ROLE, make_checkpoint, rotate
from adapters.postgres.log_check import Kept
from adapters.postgres.tables import connect
from adapters.postgres.tile_store import BadTree, newest, origin, public_keys, root_at
from adapters.settings import Settings, StartupError
from adapters.signed_notes import Checkpoint, Signer, read_checkpoint, sign
from tests.integration.program import Program
from tests.integration.tampered import (
    EVENTS,
    UNCOVERED,
    Conn,
    Covered,
    change_state,
    check,
    copied,
    covered_log,
    forge_notes,
    forge_tiles,
    tamper,
)
from tests.proving import fill, stored


@pytest.fixture(scope="module")
def original(
    cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Covered]:
    with covered_log(cluster, template, tmp_path_factory.mktemp("keys")) as log:
        yield log


@pytest.fixture
def copy(cluster: Cluster, original: Covered) -> Iterator[str]:
    with copied(cluster, original.name) as name:
        yield cluster.dsn(name)


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


def cut(conn: Conn) -> None:
    """Events, checkpoints and hashes behind position 512."""
    conn.execute("DELETE FROM log.leadlog_events WHERE notification_id > 512")
    conn.execute("DELETE FROM audit.checkpoints WHERE size > 512")
    conn.execute("DELETE FROM audit.tiles WHERE level = 0 AND index > 1")


def test_a_log_cut_back_with_its_checkpoints_shows_against_a_note_kept_outside(
    copy: str, original: Covered, tmp_path: Path
) -> None:
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


def forge_everything(conn: Conn) -> None:
    """Change the first event and remove hashes and checkpoints, as if nothing was ever signed."""
    change_state(conn, 1, Random(1))
    conn.execute(
        "UPDATE log.leadlog_events SET state = state || ' '::bytea WHERE notification_id = 1"
    )
    conn.execute("TRUNCATE audit.tiles, audit.checkpoints")


@pytest.fixture
def keys(original: Covered, tmp_path: Path) -> KeyFile:
    """The key file of a copy, which remembers what was signed up to there."""
    keys = KeyFile(tmp_path / "signing.key")
    keys.path.write_text(original.keys.path.read_text())
    keys.path.chmod(0o600)
    return keys


@pytest.mark.parametrize("also", ["", "DELETE FROM audit.signing_keys"])
def test_a_rewritten_log_without_checkpoints_is_not_signed(
    copy: str, keys: KeyFile, also: str
) -> None:
    tamper(copy, forge_everything)
    tamper(copy, lambda conn: conn.execute(also or "SELECT 1"))
    with connect(copy, ROLE, autocommit=True) as conn:
        with pytest.raises(BadTree, match="not the log whose first 640 events were signed last"):
            make_checkpoint(conn, keys)
        with pytest.raises(BadTree, match="--lost"):
            rotate(conn, keys)
        assert conn.execute("SELECT count(*) FROM audit.checkpoints").fetchone() == (0,)


def test_a_forged_checkpoint_is_not_handed_out(copy: str, keys: KeyFile, original: Covered) -> None:
    """Also when there is nothing new to sign; whoever keeps it would keep the forgery."""
    with connect(copy, ROLE, autocommit=True) as conn:
        made = make_checkpoint(conn, keys)
        assert make_checkpoint(conn, keys) == made == newest(conn)
        tamper(copy, change_state, 280, Random(1))
        tamper(copy, forge_notes, Signer.generate(origin(conn)))
        with pytest.raises(BadTree):
            make_checkpoint(conn, keys)
        tamper(copy, lambda conn: conn.execute("TRUNCATE log.leadlog_events, audit.checkpoints"))
        with pytest.raises(BadTree):
            make_checkpoint(conn, keys)


def test_an_older_checkpoint_does_not_pass_for_the_last_one(
    copy: str, original: Covered, keys: KeyFile
) -> None:
    """Nor a forged one that is larger than what was signed."""
    with connect(copy, ROLE, autocommit=True) as conn:
        tamper(copy, change_state, 620, Random(1))
        tamper(copy, forge_tiles)
        for forged in (
            "DELETE FROM audit.checkpoints WHERE size > 300",
            "INSERT INTO audit.checkpoints (size, root, note) VALUES (645, sha256(''), 'x')",
        ):
            tamper(copy, lambda conn, sql=forged: conn.execute(sql))
            with pytest.raises(BadTree):
                make_checkpoint(conn, keys)


def test_a_larger_tree_is_signed_only_when_it_begins_with_what_was_signed(
    copy: str, original: Covered, keys: KeyFile
) -> None:
    """A file that is older than the newest checkpoint: still nothing before it may be another."""
    with connect(copy, ROLE, autocommit=True) as conn:
        older = root_at(conn, 300)
        keys.record(Checkpoint(origin(conn), 300, bytes(32)))
        with pytest.raises(BadTree, match="300 events were signed"):
            make_checkpoint(conn, keys)
        keys.record(Checkpoint(origin(conn), 300, older))
        made = make_checkpoint(conn, keys)
    assert made and made.size == EVENTS + UNCOVERED


def test_a_log_of_another_name_is_not_signed(copy: str, keys: KeyFile) -> None:
    """Or a forged one would pass as one for which nothing was signed yet."""
    tamper(copy, forge_everything)
    tamper(copy, rename)
    with connect(copy, ROLE, autocommit=True) as conn, pytest.raises(BadTree, match="the log is"):
        make_checkpoint(conn, keys)


def rename(conn: Conn) -> None:
    conn.execute("UPDATE log.company SET value = 'leadlog.other' WHERE name = 'origin'")


def test_a_forgers_own_key_passes_as_long_as_nobody_names_the_right_one(
    copy: str, keys: KeyFile
) -> None:
    """That the keys are the database's own is said."""
    with connect(copy, "leadlog_auditor") as conn:
        [key] = public_keys(conn)
        forger = Signer.generate(origin(conn))
    tamper(copy, change_state, 280, Random(1))
    tamper(copy, forge_tiles)
    tamper(copy, forge_notes, forger)
    tamper(copy, enter_key, forger)
    program = Program(copy)
    said = program("audit", "verify")
    assert "640 covered" in said
    assert "The keys themselves were NOT checked" in said
    said = "checkpoint of 1 events is not valid"
    program("audit", "verify", "--key", str(key.verifier), refused=said)
    said = "does not hold this database's signing key"
    with connect(copy, ROLE, autocommit=True) as conn, pytest.raises(StartupError, match=said):
        make_checkpoint(conn, keys)


def enter_key(conn: Conn, signer: Signer) -> None:
    conn.execute("DELETE FROM audit.signing_keys")
    conn.execute("INSERT INTO audit.signing_keys (verifier) VALUES (%s)", (str(signer.verifier),))


def test_a_log_that_was_restored_from_an_older_backup_begins_anew(copy: str, keys: KeyFile) -> None:
    tamper(copy, cut)
    fill(copy, 3, Random(2))
    with connect(copy, ROLE, autocommit=True) as conn:
        with pytest.raises(BadTree, match="keys rotate --signing --lost"):
            make_checkpoint(conn, keys)
        rotate(conn, keys, lost=True)
        fill(copy, 3, Random(3))
        made = make_checkpoint(conn, keys)
    assert made and made.size == 518
    assert check(copy).fault is None


@pytest.mark.parametrize("damage", ["overlay(verifier PLACING 'x' FROM 42)", "'rubbish'"])
def test_a_damaged_signing_key_is_a_verdict_and_stops_nothing(
    copy: str, keys: KeyFile, original: Covered, tmp_path: Path, damage: str
) -> None:
    tamper(copy, lambda conn: conn.execute(f"UPDATE audit.signing_keys SET verifier = {damage}"))
    said = r"audit\.signing_keys: .*`leadlog audit verify`"
    with connect(copy, ROLE, autocommit=True) as conn, pytest.raises(BadTree, match=said):
        make_checkpoint(conn, keys)
    program = Program(copy)
    (tmp_path / "note").write_text(original.notes[300])
    for arguments in (
        ("verify",),
        ("verify", "--against", str(tmp_path / "note")),
        ("checkpoint",),
        ("export", str(stored(copy)[0].stream), "-o", str(tmp_path / "export")),
    ):
        program("audit", *arguments, refused="audit.signing_keys: ")


def test_a_damaged_signing_key_does_not_end_the_worker(
    copy: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, again and again, and the other duties go on."""
    tamper(copy, lambda conn: conn.execute("UPDATE audit.signing_keys SET verifier = 'rubbish'"))
    settings = Settings.load(
        database=copy, signing_key_file=tmp_path / "signing.key", seal_seconds=1
    )
    stop = threading.Event()
    line = (copy, open_company(copy, settings), settings, stop)
    worker = threading.Thread(target=run_forever, args=line)
    worker.start()
    deadline = time.monotonic() + 20
    while sum("no checkpoint can be signed: audit.signing_keys" in r.getMessage()
              for r in caplog.records) < 2:  # fmt: skip
        assert worker.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stop.set()
    worker.join(15)
    assert not worker.is_alive()
