"""A backup that is older than an erasure does not bring its values back (T13, R113)."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.postgres.runner import catch_up
from adapters.settings import Settings
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
    """Or a restored backup would go unnoticed."""
    path = Settings().erasure_list_path
    with path.open("a") as file:
        file.write(f"{line}\n")
    Program(dsn)("migrate", refused=f"LEADLOG_ERASURE_LIST: {path}:2 is no erasure")
    assert erased.exists()


def test_a_list_that_cannot_be_written_is_said(dsn: str, erased: Path) -> None:
    path = Settings().erasure_list_path
    path.unlink()
    path.mkdir()
    Program(dsn)("migrate", refused=f"LEADLOG_ERASURE_LIST: {path} cannot be read: Is a directory")
    assert erased.exists()


def test_several_databases_share_a_list(dsn: str, second_dsn: str, erased: Path) -> None:
    """A lead of another database is nobody here."""
    Program(second_dsn)("migrate")
    assert log(second_dsn) == []
    assert len(listed()) == 1
    assert erased.exists()


def test_two_starts_at_once_erase_once(empty_dsn: str, erased: Path) -> None:
    restore(erased, empty_dsn)
    with ThreadPoolExecutor() as pool:
        list(pool.map(Program(empty_dsn), ["migrate"] * 3))
    with psycopg.connect(empty_dsn) as conn:
        assert len(conn.execute(CERTIFICATE).fetchall()) == 1
