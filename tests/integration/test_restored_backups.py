"""A backup that is older than an erasure does not bring its values back (T13, R113)."""

import json
import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters import erasure_list
from adapters.directory import operator
from adapters.erasure_list import Erasure
from adapters.postgres.runner import catch_up
from adapters.settings import Settings, StartupError
from tests.integration.api_client import running
from tests.integration.erasing import mark, phone
from tests.integration.history_files import AT, imported, log, text, write
from tests.integration.program import Program
from tests.integration.searching import places, programs

REASON = "客户要求删除个人信息"
SECRETS = [mark(1), phone(1)]
ABOUT = {"customer": f"公司{mark(1)}", "phone": phone(1), "channel": "website"}
CERTIFICATE = "SELECT stream, keys FROM privacy.erasures"
ERASED = (
    "SELECT convert_from(state, 'UTF8')::jsonb FROM log.leadlog_events"
    " WHERE topic = 'lead.personal-data-erased'"
)
Rows = list[tuple[int, str, str, str, str]]


def created(seq: int, lead: str, about: dict[str, Any]) -> tuple[int, str, str, str, str]:
    return seq, AT, lead, "LeadCreated", json.dumps(about, ensure_ascii=False)


@pytest.fixture
def history(tmp_path: Path) -> Callable[..., Path]:
    """A file of a history, with further rows."""

    def made(*further: tuple[int, str, str, str, str]) -> Path:
        rows = [
            created(1, "12", ABOUT),
            created(2, "13", {"customer": "乙公司", "phone": phone(2)}),
        ]
        return write(tmp_path, text([*rows, *further]))

    return made


@pytest.fixture
def erased(dsn: str, history: Callable[..., Path], tmp_path: Path) -> Path:
    """A backup with a lead that was erased in the database since."""
    assert imported(dsn, history()).returncode == 0
    backup = tmp_path / "backup.dump"
    programs("pg_dump", "--format", "custom", "--file", str(backup), "--dbname", dsn)
    printed = Program(dsn)("erase", "crm/12", "--reason", REASON)
    assert "all have dropped it" in printed and REASON in printed
    return backup


def listed() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Settings().erasure_list_path.read_text().splitlines()]


def restore(backup: Path, dsn: str) -> None:
    programs("pg_restore", "--exit-on-error", "--dbname", dsn, str(backup))


def test_a_restored_backup_is_erased_again_at_the_start(
    dsn: str, empty_dsn: str, erased: Path
) -> None:
    """By the list that lies outside: also what the read tables of the backup hold."""
    (noted,) = listed()
    restore(erased, empty_dsn)
    assert "log.leadlog_events" in places(empty_dsn, ["LeadCreated", "lead.captured"])
    Program(empty_dsn)("migrate")
    catch_up(empty_dsn)
    assert places(empty_dsn, SECRETS) == {}
    assert "乙公司" in json.dumps(places(empty_dsn, ["乙公司"]), default=list, ensure_ascii=False)
    with psycopg.connect(empty_dsn) as conn:
        assert [str(stream) for stream, _ in conn.execute(CERTIFICATE)] == [noted["lead"]]
        (event,) = conn.execute(ERASED).fetchone() or ()
    assert event["first_erased_at"].startswith(noted["erased_at"][:19])
    assert (event["reason"], event["by"]) == (REASON, "process:erasure-list")
    assert event["first_erased_by"] == noted["by"] == operator()
    assert listed() == [noted], "it is the same erasure"
    before = log(empty_dsn)
    Program(empty_dsn)("migrate")
    assert log(empty_dsn) == before
    assert "every event readable" in Program(empty_dsn)("audit", "verify")
    assert "every event readable" in Program(dsn)("audit", "verify")


def test_an_erased_lead_that_is_imported_again_stays_erased(
    dsn: str, erased: Path, history: Callable[..., Path]
) -> None:
    """The same file changes nothing; further facts of the lead count, without what is personal."""
    before = log(dsn)
    again = imported(dsn, history())
    assert again.stdout.startswith("2 rows read, 2 already there, 0 events appended")
    assert log(dsn) == before
    call = (3, AT, "12", "ActivityLogged", '{"kind": "call"}')
    back = created(4, "12", ABOUT)
    more = imported(dsn, history(call, back))
    assert more.returncode == 0, more.stderr
    catch_up(dsn)
    assert places(dsn, SECRETS) == {}
    assert len(log(dsn)) > len(before)
    with psycopg.connect(dsn) as conn:
        keys = conn.execute("SELECT count(*) FROM privacy.keys").fetchone()
        assert keys == (1,), "of the other lead"
    assert erased.exists()


@pytest.mark.parametrize("line", ["{", '{"lead": "x"}', "\x00", "[]"])
def test_a_broken_list_stops_every_start(dsn: str, erased: Path, line: str) -> None:
    """Or a restored backup would go unnoticed; what to do is said."""
    path = Settings().erasure_list_path
    with path.open("a") as file:
        file.write(f"{line}\n")
    said = Program(dsn).run("migrate")
    assert said.returncode == 1
    assert f"LEADLOG_ERASURE_LIST: {path}:2 is no erasure" in said.stderr
    assert "Put a copy of the list in its place; without one remove line 2" in said.stderr
    assert erased.exists()


@pytest.mark.usefixtures("erased")
def test_a_line_that_was_cut_short_is_written_again(dsn: str) -> None:
    """By a crash in the middle of it: its erasure is recorded, and noted at the next start."""
    path = Settings().erasure_list_path
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    started = Program(dsn).run("migrate")
    assert started.returncode == 0, started.stderr
    assert path.read_bytes() == whole
    path.write_bytes(whole[:-1])
    Program(dsn)("migrate")
    assert path.read_bytes() == whole[:-1], "a line without its end is a line"
    assert imported(dsn, created_file(path.parent), source="other").returncode == 0
    Program(dsn)("erase", "other/1", "--reason", REASON)
    assert len(listed()) == 2 and path.read_bytes().startswith(whole)


def created_file(directory: Path) -> Path:
    return write(directory, text([created(1, "1", {"customer": "丙公司"})]), "other.csv")


@pytest.mark.usefixtures("erased")
def test_a_disk_that_is_full_leaves_the_list_as_it_was(dsn: str) -> None:
    path = Settings().erasure_list_path
    whole, kept = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 10, kept[1]))
    try:
        with pytest.raises(StartupError, match="cannot be written: File too large"):
            erasure_list._add(path, [Erasure("other", UUID(int=1), datetime.now(UTC), REASON)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
    assert path.read_bytes() == whole
    Program(dsn)("migrate")


def test_a_list_that_cannot_be_read_is_said(dsn: str, erased: Path) -> None:
    path = Settings().erasure_list_path
    path.unlink()
    path.mkdir()
    Program(dsn)("migrate", refused=f"LEADLOG_ERASURE_LIST: {path} cannot be read: Is a directory")
    assert erased.exists()


@pytest.mark.parametrize("command", ["migrate", "worker", "serve"])
def test_a_list_that_cannot_be_written_is_said_before_it_is_needed(
    dsn: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is erased here yet. Nobody, root neither, makes a file in /proc."""
    monkeypatch.setenv("LEADLOG_ERASURE_LIST", "/proc/erasures.jsonl")
    Program(dsn)(command, refused="LEADLOG_ERASURE_LIST: /proc/erasures.jsonl cannot be written: ")


@pytest.mark.anyio
async def test_an_erasure_that_cannot_be_noted_is_made_and_noted_later(
    dsn: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk is full, or the list is gone, while the service runs."""
    kept = Settings().erasure_list_path
    monkeypatch.setenv("LEADLOG_ERASURE_LIST", "/proc/erasures.jsonl")
    async with running(dsn) as api:
        lead = (await api.lead())["id"]
        answer = await api.post(f"/v1/leads/{lead}:erase", {"reason": REASON})
        assert answer.status_code == 200, answer.text
    assert "an erasure is not in the list of erasures yet" in caplog.text
    assert "/proc/erasures.jsonl cannot be written" in caplog.text
    monkeypatch.setenv("LEADLOG_ERASURE_LIST", str(kept))
    Program(dsn)("migrate")
    assert [line["lead"] for line in listed()] == [lead]


def test_another_companys_lead_stays(
    dsn: str, empty_dsn: str, history: Callable[..., Path], erased: Path
) -> None:
    """Databases share a list, and leads of one source have the same ids in each."""
    Program(empty_dsn)("migrate")
    assert imported(empty_dsn, history()).returncode == 0
    before = log(empty_dsn)
    assert {row[0] for row in before} == {row[0] for row in log(dsn)}
    Program(empty_dsn)("migrate")
    assert log(empty_dsn) == before
    assert "log.leadlog_events" in places(empty_dsn, ["lead.captured"])
    assert len(listed()) == 1
    Program(empty_dsn)("erase", "crm/12", "--reason", REASON)
    assert len({line["log"] for line in listed()}) == 2
    assert len({line["lead"] for line in listed()}) == 1
    assert erased.exists()


def test_reading_erases_nothing(dsn: str, empty_dsn: str, erased: Path) -> None:
    """What works on the log for long does, `migrate` too: a report does not write."""
    restore(erased, empty_dsn)
    before = log(empty_dsn)
    Program(empty_dsn)("report", "conversion")
    assert log(empty_dsn) == before
    assert dsn != empty_dsn


@pytest.mark.usefixtures("erased")
def test_to_note_an_erasure_reads_that_one(dsn: str) -> None:
    """Whatever else was erased: the rest is noted at a start."""
    Settings().erasure_list_path.unlink()
    Program(dsn)("erase", "crm/13", "--reason", REASON)
    (noted,) = listed()
    Program(dsn)("migrate")
    assert len(listed()) == 2 and noted in listed()


def test_two_starts_at_once_erase_once(empty_dsn: str, erased: Path) -> None:
    restore(erased, empty_dsn)
    with ThreadPoolExecutor() as pool:
        list(pool.map(Program(empty_dsn), ["migrate"] * 3))
    with psycopg.connect(empty_dsn) as conn:
        assert len(conn.execute(CERTIFICATE).fetchall()) == 1
