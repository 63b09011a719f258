"""`import history` through the real command line: good files and bad files."""

import csv
import gzip
import io
import json
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.history_files import AT, imported, log, text, topics, write

CREATED = '{"channel": "website", "owner": "Li"}'
Run = Callable[..., "subprocess.CompletedProcess[str]"]
Write = Callable[..., Path]


@pytest.fixture
def run(dsn: str) -> Run:
    return partial(imported, dsn)


@pytest.fixture(name="write")
def write_(tmp_path: Path) -> Write:
    return partial(write, tmp_path)


GOOD = [(1, AT, "12", "LeadCreated", CREATED), (2, "", "12", "LeadLost", "{}")]


def test_a_second_import_changes_nothing(dsn: str, run: Run, write: Write) -> None:
    file = write(text(GOOD))
    first = run(file)
    assert first.returncode == 0
    assert first.stdout.startswith("2 rows read, 0 already there, 3 events appended")
    before = log(dsn)
    assert [row[2] for row in before] == [
        "directory.person-added",
        "lead.captured",
        "lead.invalidated",
    ]
    again = run(file)
    assert again.stdout.startswith("2 rows read, 2 already there, 0 events appended")
    assert log(dsn) == before


def test_another_source_is_another_lead(dsn: str, run: Run, write: Write) -> None:
    file = write(text(GOOD))
    run(file, source="crm")
    run(file, source="erp")
    assert len({row[0] for row in log(dsn) if row[2] == "lead.captured"}) == 2
    assert topics(dsn).count("directory.person-added") == 1  # Li is one person


def test_identical_rows_are_different_facts(dsn: str, run: Run, write: Write) -> None:
    call = (AT, "12", "ActivityLogged", '{"kind": "call"}')
    run(write(text([(1, *call), (2, *call)])))
    assert topics(dsn) == ["lead.follow-up-recorded"] * 2


def test_facts_may_stand_before_the_leads_creation(dsn: str, run: Run, write: Write) -> None:
    won = (1, AT, "9007199254740993001", "LeadConverted", '{"amount": 0.2}')
    run(write(text([won, (2, AT, "9007199254740993001", "LeadCreated", "{}")])))
    assert topics(dsn) == ["lead.converted", "lead.captured"]
    assert json.loads(log(dsn)[1][3])["external_id"] == "9007199254740993001"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ((3, AT, "12", "Nonsense", "{}"), "no type 'Nonsense'"),
        ((3, AT, "12", "LeadLost", "{"), "JSON"),
        ((2, AT, "12", "LeadLost", "{}"), "seq 2 stands twice"),
        ((3, "soon", "12", "LeadLost", "{}"), "soon"),
        ((3, AT, "12", "LeadLost"), "4 cells"),
    ],
)
def test_a_broken_row_stops_with_its_line_and_the_corrected_file_goes_on(
    dsn: str, run: Run, write: Write, broken: tuple[Any, ...], reason: str
) -> None:
    done = run(write(text([*GOOD, broken, (4, AT, "13", "LeadCreated", "{}")])))
    assert done.returncode == 1
    assert "line 4:" in done.stderr
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert topics(dsn)[-1] == "lead.invalidated"  # the rows before it stay
    done = run(write(text([*GOOD, (3, AT, "12", "StatusChanged", '{"to": "A"}')])))
    assert done.returncode == 0
    assert topics(dsn)[-1] == "lead.stage-changed"


def test_the_line_is_the_one_on_which_the_row_starts(run: Run, write: Write) -> None:
    spread = '1,,12,LeadCreated,"{""a"":\n1}"\n2,,12,Nonsense,{}\n'
    done = run(write(text([]) + spread))
    assert "line 4:" in done.stderr


SCATTERED = "".join(f"{n},,{n * 7919 % 1009},LeadLost,{{}}\n" for n in range(3, 3000))
BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "wrong header": (b"a,b\n1,2\n", "a history file starts with the line seq,ts"),
    "not UTF-8": (text([(1, AT, "1", "LeadCreated", '{"a": "官网"}')]).encode("gbk"), "not UTF-8"),
    "cut in a quoted row": (text(GOOD).encode() + b'3,,12,LeadLost,"{""reas', "line 4"),
    "cut gzip": (gzip.compress((text(GOOD) + SCATTERED).encode())[:-99], "cut or damaged"),
    "damaged gzip": (gzip.compress(text(GOOD).encode())[:30] + b"?" * 40, "cut or damaged"),
    "UTF-16": (text(GOOD).encode("utf-16"), "line 1, byte 1: not UTF-8"),
    "other order": (b"ts,seq,lead_id,type,data\n", "a history file starts with the line seq,ts"),
    "endless line": (text([]).encode() + b"x" * (2**20 + 9), "longer than"),
    "NUL": (text(GOOD).encode() + b"3,,12,LeadLost,\x00\n", "line 4"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_cannot_be_read_is_one_clear_line(run: Run, write: Write, name: str) -> None:
    content, reason = BAD_FILES[name]
    done = run(write(content))
    assert done.returncode == 1
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_directories_and_missing_files_are_one_clear_line(run: Run, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere.csv"):
        done = run(path)
        assert done.returncode == 1
        assert str(path) in done.stderr


@pytest.mark.parametrize(
    "content",
    [
        text(GOOD).encode(),
        b"\xef\xbb\xbf" + text(GOOD).encode(),
        gzip.compress(text(GOOD).encode()),
        text(GOOD).replace("\r\n", "\n").encode(),
        text(GOOD).replace("\r\n", "\n").encode().rstrip(b"\n"),
    ],
    ids=["CRLF", "BOM", "gzip", "LF", "no last newline"],
)
def test_files_as_people_have_them(dsn: str, run: Run, write: Write, content: bytes) -> None:
    assert run(write(content)).returncode == 0
    assert topics(dsn)[1:] == ["lead.captured", "lead.invalidated"]


def test_a_header_alone_is_no_fault(run: Run, write: Write) -> None:
    done = run(write(text([])))
    assert done.returncode == 0
    assert done.stdout.startswith("0 rows read")


def test_rows_put_aside_can_be_corrected_and_imported(
    dsn: str, run: Run, write: Write, tmp_path: Path
) -> None:
    wrong = [(1, AT, "12", "Nonsense", "{}"), (2, AT, "12", "LeadLost", "{")]
    errors = tmp_path / "errors.csv"
    file = write(text([*wrong, (3, AT, "12", "LeadCreated", "{}")]))
    done = run(file, "--skip-broken", "--errors", errors)
    assert done.returncode == 0
    assert "2 rows put aside" in done.stdout
    aside = list(csv.DictReader(io.StringIO(errors.read_text(encoding="utf-8"), newline="")))
    assert [(row["seq"], row["line"]) for row in aside] == [("1", "2"), ("2", "3")]
    assert aside[0]["reason"].startswith("there is no type 'Nonsense'")
    fixed = errors.read_text(encoding="utf-8").replace("Nonsense", "LeadLost", 1)
    done = run(write(fixed.replace("LeadLost,{,", "LeadLost,{},"), "fixed.csv"))
    assert done.returncode == 0, done.stderr
    assert topics(dsn) == ["lead.captured", "lead.invalidated", "lead.invalidated"]


def test_what_is_no_row_of_five_cells_is_put_aside_whole(
    run: Run, write: Write, tmp_path: Path
) -> None:
    odd = ['1,,12,LeadCreated,{"a": 1,"b": 2}', '2,,12,LeadLost,"{"x}"', "3"]
    errors = tmp_path / "errors.csv"
    done = run(write(text([]) + "\n".join(odd)), "--skip-broken", "--errors", errors)
    assert done.returncode == 0, done.stderr
    aside = csv.DictReader(io.StringIO(errors.read_text(encoding="utf-8"), newline=""))
    assert [row["data"] for row in aside] == odd


@pytest.mark.parametrize(
    "options",
    [("--skip-broken",), ("--errors", "x.csv"), ("--source", "a/b"), ("--source", " ")],
    ids=" ".join,
)
def test_a_usage_error(run: Run, write: Write, options: tuple[str, ...]) -> None:
    assert run(write(text(GOOD)), *options).returncode == 2


def test_the_file_to_import_is_no_place_for_its_broken_rows(run: Run, write: Write) -> None:
    file = write(text(GOOD))
    assert run(file, "--skip-broken", "--errors", file).returncode == 2
    assert file.read_bytes() == text(GOOD).encode()


def test_a_mapping_that_makes_no_sense_is_one_clear_line(run: Run, write: Write) -> None:
    mapping = write("[activty]\nconnected = []\n", "map.toml")
    done = run(write(text(GOOD)), "--mapping", mapping)
    assert done.returncode == 1
    assert "unknown section 'activty'" in done.stderr
