"""`import history` through the real command line: good files, bad files, killed imports."""

import csv
import gzip
import io
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.seed import SEED

HEADER = ("seq", "ts", "lead_id", "type", "data")
AT = "2024-05-02T10:00:00"
CREATED = '{"channel": "website", "owner": "Li"}'
LOG = (
    "SELECT originator_id, originator_version, topic, convert_from(state, 'UTF8')"
    " FROM log.leadlog_events ORDER BY notification_id"
)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def text(rows: Iterable[Iterable[Any]], header: Iterable[str] = HEADER) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    return out.getvalue()


def command(dsn: str, *arguments: object) -> tuple[list[str], dict[str, str]]:
    line = [sys.executable, "-m", "adapters.cli", "import", "history", *map(str, arguments)]
    env = os.environ | {"LEADLOG_DATABASE": dsn, "LEADLOG_ALLOW_UNSAFE_POSTGRES": "true"}
    return line, env


@pytest.fixture
def run(dsn: str) -> Run:
    def run_(file: Path, *options: object, source: str = "crm") -> Any:
        line, env = command(dsn, file, "--source", source, *options)
        done = subprocess.run(
            line, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        assert "Traceback" not in done.stderr
        return done

    return run_


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write_(content: str | bytes, name: str = "history.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_


def log(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(LOG).fetchall()


def topics(dsn: str) -> list[str]:
    return [row[2] for row in log(dsn)]


GOOD = [(1, AT, "12", "LeadCreated", CREATED), (2, "", "12", "LeadLost", "{}")]


def test_a_second_import_changes_nothing(dsn: str, run: Run, write: Callable[..., Path]) -> None:
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


def test_another_source_is_another_lead(dsn: str, run: Run, write: Callable[..., Path]) -> None:
    file = write(text(GOOD))
    run(file, source="crm")
    run(file, source="erp")
    assert len({row[0] for row in log(dsn) if row[2] == "lead.captured"}) == 2
    assert topics(dsn).count("directory.person-added") == 1  # Li is one person


def test_identical_rows_are_different_facts(dsn: str, run: Run, write: Callable[..., Path]) -> None:
    call = (AT, "12", "ActivityLogged", '{"kind": "call"}')
    run(write(text([(1, *call), (2, *call)])))
    assert topics(dsn) == ["lead.follow-up-recorded"] * 2


def test_facts_may_stand_before_the_leads_creation(
    dsn: str, run: Run, write: Callable[..., Path]
) -> None:
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
    dsn: str, run: Run, write: Callable[..., Path], broken: tuple[Any, ...], reason: str
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


def test_the_line_is_the_one_on_which_the_row_starts(run: Run, write: Callable[..., Path]) -> None:
    need = '{"need": "two\nlines"}'.replace("\n", "\\n")
    spread = '1,,12,LeadCreated,"{""a"":\n1}"\n2,,12,Nonsense,{}\n'
    done = run(write(text([]) + spread))
    assert "line 4:" in done.stderr, need


SCATTERED = "".join(f"{n},,{n * 7919 % 1009},LeadLost,{{}}\n" for n in range(3, 3000))
BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "the file is empty"),
    "wrong header": (b"a,b\n1,2\n", "a history file starts with the line seq,ts"),
    "not UTF-8": (text([(1, AT, "1", "LeadCreated", '{"a": "官网"}')]).encode("gbk"), "not UTF-8"),
    "cut in a quoted row": (text(GOOD).encode() + b'3,,12,LeadLost,"{""reas', "line 4"),
    "cut gzip": (gzip.compress((text(GOOD) + SCATTERED).encode())[:-99], "cut or damaged"),
    "endless line": (text([]).encode() + b"x" * (2**20 + 9), "longer than"),
    "NUL": (text(GOOD).encode() + b"3,,12,LeadLost,\x00\n", "line 4"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_cannot_be_read_is_one_clear_line(
    run: Run, write: Callable[..., Path], name: str
) -> None:
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
def test_files_as_people_have_them(
    dsn: str, run: Run, write: Callable[..., Path], content: bytes
) -> None:
    assert run(write(content)).returncode == 0
    assert topics(dsn)[1:] == ["lead.captured", "lead.invalidated"]


def test_a_header_alone_is_no_fault(run: Run, write: Callable[..., Path]) -> None:
    done = run(write(text([])))
    assert done.returncode == 0
    assert done.stdout.startswith("0 rows read")


def test_rows_put_aside_can_be_corrected_and_imported(
    dsn: str, run: Run, write: Callable[..., Path], tmp_path: Path
) -> None:
    wrong = [(1, AT, "12", "Nonsense", "{}"), (2, AT, "12", "LeadLost", "{"), *[]]
    errors = tmp_path / "errors.csv"
    file = write(text([*wrong, (3, AT, "12", "LeadCreated", "{}")]))
    done = run(file, "--skip-broken", "--errors", errors)
    assert done.returncode == 0
    assert "2 rows put aside" in done.stdout
    aside = list(csv.DictReader(io.StringIO(errors.read_text(encoding="utf-8"), newline="")))
    assert [(row["seq"], row["line"]) for row in aside] == [("1", "2"), ("2", "3")]
    assert "Nonsense" in aside[0]["reason"]
    fixed = errors.read_text(encoding="utf-8").replace("Nonsense", "LeadLost", 1)
    done = run(write(fixed.replace("LeadLost,{,", "LeadLost,{},"), "fixed.csv"))
    assert done.returncode == 0, done.stderr
    assert topics(dsn) == ["lead.captured", "lead.invalidated", "lead.invalidated"]


def test_skipping_without_a_place_to_put_rows_is_a_usage_error(
    run: Run, write: Callable[..., Path]
) -> None:
    assert run(write(text(GOOD)), "--skip-broken").returncode == 2


def test_a_mapping_that_makes_no_sense_is_one_clear_line(
    run: Run, write: Callable[..., Path]
) -> None:
    mapping = write("[activty]\nconnected = []\n", "map.toml")
    done = run(write(text(GOOD)), "--mapping", mapping)
    assert done.returncode == 1
    assert "unknown section 'activty'" in done.stderr


def made_up(rows: int, seed: int) -> list[tuple[Any, ...]]:
    rng = random.Random(seed)
    facts = (
        ("LeadCreated", lambda: {"channel": rng.choice("abc"), "owner": f"R{rng.randrange(90)}"}),
        ("OwnerAssigned", lambda: {"owner": f"R{rng.randrange(90)}", "team": rng.choice("XYZ")}),
        ("ActivityLogged", lambda: {"by": f"R{rng.randrange(120)}", "status": "connected"}),
        ("StatusChanged", lambda: {"to": rng.choice("ABC")}),
    )
    out = []
    for seq in range(1, rows + 1):
        kind, data = rng.choice(facts)
        out.append((seq, AT, f"L{rng.randrange(rows // 5)}", kind, json.dumps(data())))
    return out


def test_a_killed_import_run_again_leaves_the_same_log(
    dsn: str, write: Callable[..., Path], second_dsn: str
) -> None:
    """Targets P1 and P2 for imports: kill -9 at random instants, then once to the end."""
    print("SEED", SEED)
    rng = random.Random(SEED)
    file = write(text(made_up(40_000, SEED)))
    line, env = command(dsn, file, "--source", "crm")
    for _ in range(4):
        process = subprocess.Popen(
            line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(0.5, 1.4))
        process.kill()
        process.wait()
    subprocess.run(line, env=env, check=True, capture_output=True)
    line, env = command(second_dsn, file, "--source", "crm")
    subprocess.run(line, env=env, check=True, capture_output=True)
    assert log(dsn) == log(second_dsn)


def test_two_imports_of_one_file_at_the_same_moment_append_each_row_once(
    dsn: str, write: Callable[..., Path]
) -> None:
    file = write(text(made_up(12_000, SEED)))
    line, env = command(dsn, file, "--source", "crm")
    both = [subprocess.Popen(line, env=env, stdout=subprocess.PIPE) for _ in range(2)]
    for process in both:
        process.communicate(timeout=60)
        assert process.returncode == 0
    found = topics(dsn)
    assert sum(topic.startswith("lead.") for topic in found) == 12_000
    assert len(set(map(repr, [r for r in log(dsn) if r[2].startswith("directory")]))) == (
        len(found) - 12_000
    )


def test_memory_does_not_grow_with_the_file(dsn: str, write: Callable[..., Path]) -> None:
    peak = (
        "import resource, sys; from adapters import cli; sys.argv = ['leadlog', *sys.argv[1:]]\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    found = {}
    for rows in (10_000, 60_000):
        file = write(text(made_up(rows, SEED)), f"{rows}.csv")
        line, env = command(dsn, file, "--source", f"s{rows}")
        line[1:3] = ["-c", peak]
        done = subprocess.run(line, env=env, check=True, capture_output=True, text=True)
        assert f"{rows} rows read" in done.stdout
        found[rows] = int(done.stdout.split()[-1]) // 1024
    assert found[60_000] - found[10_000] < 40, found
