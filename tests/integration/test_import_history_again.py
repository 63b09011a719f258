"""`import history` again: corrected, killed, at the same moment; the log comes out the same."""

import random
import subprocess
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters.postgres.codec import decode
from aggregates.event import Meta
from commands.history import row_id, source_id
from tests.forked import leadlog
from tests.integration.history_files import (
    AT,
    command,
    imported,
    log,
    made_up,
    text,
    topics,
    write,
)
from tests.seed import SEED

HEAD = "SELECT coalesce(max(notification_id), 0) FROM log.leadlog_events"
CODES = (
    "SELECT convert_from(state, 'UTF8')::jsonb ->> 'code',"
    " to_char(recorded_at AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD')"
    " FROM log.leadlog_events ORDER BY notification_id"
)


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The middle of the company's day: what two imports record is of the same one."""
    monkeypatch.setenv("LEADLOG_TIMEZONE", f"Etc/GMT{datetime.now(UTC).hour - 12:+}")


def test_people_and_teams_enter_once_right_before_the_row_that_names_them(
    dsn: str, tmp_path: Path
) -> None:
    rows = [
        (1, AT, "12", "LeadCreated", "{}"),
        (2, AT, "12", "OwnerAssigned", '{"owner": "Li", "team": "Li"}'),
        (3, AT, "12", "ActivityLogged", '{"by": "Li"}'),
        (4, AT, "13", "FirstContacted", '{"by": "Wang"}'),
    ]
    imported(dsn, write(tmp_path, text(rows)))
    person, team, call = "directory.person-added", "directory.team-added", "lead.follow-up-recorded"
    assert topics(dsn) == ["lead.captured", person, team, "lead.assigned", call, person, call]
    for (_, version, topic, state), seq in zip(log(dsn), (1, 2, 2, 2, 3, 4, 4), strict=True):
        event, meta = decode(topic, state.encode())
        assert meta == Meta("import:crm", UUID(row_id(source_id("crm"), seq)))
        assert topic.startswith("lead") or (version, event.occurred_at) == (1, None)


def test_codes_are_of_the_day_of_import_and_without_gaps(dsn: str, tmp_path: Path) -> None:
    call = (AT, "12", "ActivityLogged", "{}")
    rows = [(1, *call), (2, AT, "12", "LeadCreated", "{}"), (3, *call), (4, AT, "1", "?", "{}")]
    assert imported(dsn, write(tmp_path, text(rows))).returncode == 1
    assert imported(dsn, write(tmp_path, text([*rows[:3], (4, *call)]))).returncode == 0
    with psycopg.connect(dsn) as conn:
        found = conn.execute(CODES).fetchall()
    numbers = [("GJ", "001"), ("XLSH", "001"), ("GJ", "002"), ("GJ", "003")]
    assert [code for code, _ in found] == [
        f"{prefix}{day}{number}" for (prefix, number), (_, day) in zip(numbers, found, strict=True)
    ]


def test_scattered_numbers_in_any_order(dsn: str, tmp_path: Path) -> None:
    rows = [(seq * 10, AT, "12", "StatusChanged", '{"to": "A"}') for seq in range(3000)]
    random.Random(SEED).shuffle(rows)
    for part, there in ((rows[::2], 0), (rows, 1500), (rows[1::3], 1000)):
        done = imported(dsn, write(tmp_path, text(part)))
        assert done.stdout.startswith(f"{len(part)} rows read, {there} already there")
    assert len(topics(dsn)) == 3000


@pytest.mark.usefixtures("at_noon")
def test_a_corrected_file_leaves_the_same_log_as_one_that_never_was_broken(
    dsn: str, second_dsn: str, tmp_path: Path
) -> None:
    print("SEED", SEED)
    rows = made_up(600, SEED)
    file, broken = write(tmp_path, text(rows)), partial(write, tmp_path, name="broken.csv")
    for place in sorted(random.Random(SEED).sample(range(600), 5)):
        nonsense = (*rows[place][:3], "Nonsense", "{}")
        done = imported(dsn, broken(text([*rows[:place], nonsense, *rows[place + 1 :]])))
        assert done.returncode == 1
        assert sum(topic.startswith("lead.") for topic in topics(dsn)) == place
    assert imported(dsn, file).returncode == imported(second_dsn, file).returncode == 0
    assert log(dsn) == log(second_dsn)


@pytest.mark.usefixtures("at_noon")
def test_a_killed_import_run_again_leaves_the_same_log(
    dsn: str, second_dsn: str, tmp_path: Path
) -> None:
    """P1 and P2 for imports: kill -9 while rows go in, four times, then once to the end."""
    print("SEED", SEED)
    rng = random.Random(SEED)
    file = write(tmp_path, text(made_up(60_000, SEED)))
    with psycopg.connect(dsn, autocommit=True) as conn:
        for _ in range(4):
            kill_in_the_middle(conn, dsn, file, rng.uniform(0, 0.2))
        assert head(conn) < 60_000, "the kills came too late to show anything"
    assert imported(dsn, file).returncode == imported(second_dsn, file).returncode == 0
    assert log(dsn) == log(second_dsn)


def kill_in_the_middle(conn: psycopg.Connection[Any], dsn: str, file: Path, seconds: float) -> None:
    """Start an import and kill it some seconds after its first rows are in."""
    line, env = command(dsn, file, "--source", "crm")
    before = head(conn)
    with leadlog(*line[3:], environment=env) as process:
        while head(conn) == before:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        time.sleep(seconds)
        process.kill()


def head(conn: psycopg.Connection[Any]) -> int:
    row = conn.execute(HEAD).fetchone()
    assert row
    return int(row[0])


def test_two_imports_of_one_file_at_the_same_moment_append_each_row_once(
    dsn: str, tmp_path: Path
) -> None:
    file = write(tmp_path, text(made_up(12_000, SEED)))
    line, env = command(dsn, file, "--source", "crm")
    both = [leadlog(*line[3:], environment=env) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    rows = log(dsn)
    streams = [stream for stream, _, topic, _ in rows if topic.startswith("directory.")]
    metas = [decode(topic, state.encode())[1] for *_, topic, state in rows if "lead." in topic]
    named = [UUID(row_id(source_id("crm"), seq)) for seq in range(1, 12_001)]
    assert [meta.command_id for meta in metas] == named  # in the order of the file
    assert len(set(streams)) == len(streams) == len(rows) - 12_000


def test_memory_does_not_grow_with_the_file(dsn: str, tmp_path: Path) -> None:
    peak = (
        "import resource, sys; from adapters import cli; sys.argv = ['leadlog', *sys.argv[1:]]\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    found = {}
    for rows in (10_000, 60_000):
        file = write(tmp_path, text(made_up(rows, SEED)), f"{rows}.csv")
        line, env = command(dsn, file, "--source", f"s{rows}")
        line[1:3] = ["-c", peak]
        done = subprocess.run(line, env=env, check=True, capture_output=True, text=True)
        assert f"{rows} rows read" in done.stdout
        found[rows] = int(done.stdout.split()[-1]) // 1024
    assert found[60_000] - found[10_000] < 40, found
