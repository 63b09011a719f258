"""`import leads` of made-up files with faults of ten kinds: whole, again, killed, side by side."""

import random
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bench.lead_file import KINDS, MAPPING, write
from tests.forked import leadlog
from tests.integration.history_files import program_line
from tests.integration.lead_files import CODES_TAKEN, captured, head, imported, scalar, sheet
from tests.seed import SEED
from tests.size import size


@pytest.mark.parametrize(
    ("encoding", "rows"),
    [("utf-8", size(1_500, 100_000)), ("gb18030", size(700, 20_000))],
    ids=["UTF-8", "GB18030"],
)
def test_each_fault_on_its_line_everything_else_in(
    dsn: str, tmp_path: Path, encoding: str, rows: int
) -> None:
    print("SEED", SEED)
    file, errors = tmp_path / "leads.csv", tmp_path / "errors.csv"
    planted = write(file, rows, seed=SEED, faults=0.05, encoding=encoding)
    assert {fault.kind for fault in planted} == KINDS.keys()
    done = imported(dsn, file, "--errors", errors, mapping=MAPPING)
    assert done.returncode == 0, done.stderr
    assert f"{rows} rows read, {rows - len(planted)} entered" in done.stdout
    found = [(int(row["line"]), row["field"]) for row in sheet(errors)]
    assert found == [(fault.line, KINDS[fault.kind]) for fault in planted]
    assert all(row["reason"] for row in sheet(errors))
    codes = [lead["code"] for lead in captured(dsn)]
    assert len(set(codes)) == len(codes) == rows - len(planted)

    before, taken = head(dsn), scalar(dsn, CODES_TAKEN)
    again = imported(dsn, file, "--errors", errors, mapping=MAPPING)
    assert f"0 entered, {rows - len(planted)} already there" in again.stdout
    assert [(int(row["line"]), row["field"]) for row in sheet(errors)] == found
    assert (head(dsn), scalar(dsn, CODES_TAKEN)) == (before, taken)


def test_a_killed_import_is_simply_started_again(dsn: str, tmp_path: Path) -> None:
    """P1, P2: kill -9 while rows go in, three times, then once to the end."""
    print("SEED", SEED)
    rng, rows = random.Random(SEED), size(2_500, 40_000)
    file, words = tmp_path / "leads.csv", tmp_path / "leads.toml"
    write(file, rows, seed=SEED, faults=0)
    words.write_text(MAPPING, encoding="utf-8")
    for _ in range(3):
        kill_in_the_middle(dsn, file, words, rng.uniform(0, 0.15))
    there = len(captured(dsn))
    assert 0 < there < rows, "the kills came too late to show anything"
    done = imported(dsn, file, mapping=MAPPING)
    assert f"{rows} rows read, {rows - there} entered, {there} already there" in done.stdout
    assert each_once(dsn) == rows


def test_two_imports_of_one_file_at_the_same_moment(dsn: str, tmp_path: Path) -> None:
    """Each row is one lead, whoever enters it."""
    rows = size(1_000, 10_000)
    file, words = tmp_path / "leads.csv", tmp_path / "leads.toml"
    write(file, rows, seed=SEED, faults=0)
    words.write_text(MAPPING, encoding="utf-8")
    line, env = command(dsn, file, words)
    outs = [tmp_path / "one", tmp_path / "other"]
    both = [leadlog(*line[3:], environment=env, out=out) for out in outs]
    for process, out in zip(both, outs, strict=True):
        assert process.wait(120) == 0
        assert f"{rows} rows read" in out.read_text()
        assert " 0 changed since and not updated, 0 refused" in out.read_text()
    assert each_once(dsn) == rows


def test_memory_grows_by_a_row_s_name_alone(dsn: str, tmp_path: Path) -> None:
    peak = (
        "import resource, sys; from adapters import cli; sys.argv = ['leadlog', *sys.argv[1:]]\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    words, found = tmp_path / "leads.toml", {}
    words.write_text(MAPPING, encoding="utf-8")
    for rows in (1_000, 7_000):
        file = tmp_path / f"{rows}.csv"
        write(file, rows, seed=SEED, faults=0)
        line, env = command(dsn, file, words)
        line[1:3] = ["-c", peak]
        done = subprocess.run(line, env=env, check=True, capture_output=True, text=True)
        found[rows] = int(done.stdout.split()[-1]) // 1024
    assert found[7_000] - found[1_000] < 25, found


def command(dsn: str, file: Path, words: Path) -> tuple[list[str], dict[str, str]]:
    return program_line(dsn, "import", "leads", file, "--mapping", words)


def kill_in_the_middle(dsn: str, file: Path, words: Path, seconds: float) -> None:
    """Start an import and kill it some seconds after its first rows are in."""
    line, env = command(dsn, file, words)
    before = head(dsn)
    with leadlog(*line[3:], environment=env) as process:
        while head(dsn) == before:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        time.sleep(seconds)
        process.kill()


def each_once(dsn: str) -> int:
    """How many leads there are, each of them entered once by the file."""
    times = Counter(lead["external_id"] for lead in captured(dsn))
    assert set(times.values()) == {1}
    with psycopg.connect(dsn) as conn:
        streams: Any = conn.execute(
            "SELECT count(DISTINCT originator_id) FROM log.leadlog_events WHERE topic LIKE 'lead.%'"
        ).fetchone()
    assert streams[0] == len(times)
    return len(times)
