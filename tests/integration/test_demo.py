"""The simulated company: the same for a seed, valid throughout, and what it prints works."""

import os
import re
import shlex
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from adapters.company import open_company
from adapters.demo.plan import plan
from adapters.postgres import reports
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.postgres.verify import verify
from adapters.settings import Settings
from projections.catalogue import PROJECTIONS
from projections.reports.catalogue import find
from projections.reports.params import read

ZONE = ZoneInfo("Asia/Shanghai")
END = datetime(2024, 7, 1, tzinfo=UTC)
START = END - timedelta(days=60)


def test_a_seed_gives_one_plan_and_another_seed_another() -> None:
    assert plan(1, 50, START, END, ZONE) == plan(1, 50, START, END, ZONE)
    assert plan(1, 50, START, END, ZONE) != plan(2, 50, START, END, ZONE)


def test_a_plan_stays_within_its_time_and_in_order() -> None:
    steps = plan(7, 200, START, END, ZONE)
    assert {step.lead for step in steps} == set(range(200))
    assert all(START <= a.at <= b.at < END for a, b in pairwise(steps))


def demo(dsn: str, *options: str) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {"LEADLOG_DATABASE": dsn, "LEADLOG_ALLOW_UNSAFE_POSTGRES": "true"}
    line = [sys.executable, "-m", "adapters.cli", "demo", "--no-serve", "--leads", "150"]
    return subprocess.run(
        [*line, "--months", "2", *options], env=env, capture_output=True, text=True, check=False
    )


@pytest.fixture
def filled(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LEADLOG_DATA_DIR", str(tmp_path))
    done = demo(dsn)
    assert done.returncode == 0, done.stderr
    return dsn


def test_the_real_commands_lived_it_on_a_simulated_clock(filled: str) -> None:
    settings = Settings(database=filled, allow_unsafe_postgres=True)
    assert open_company(filled, settings).clock_kind == "simulated"
    with psycopg.connect(filled) as conn:
        captured, actors, late = conn.execute(
            "SELECT count(*) FILTER (WHERE topic = 'lead.captured'), count(DISTINCT actor),"
            " count(*) FILTER (WHERE recorded_at < occurred_at) FROM audit.events"
            " WHERE topic LIKE 'lead.%'"
        ).fetchone() or (0, 0, 0)
        first, last = conn.execute(
            "SELECT min(recorded_at), max(recorded_at) FROM audit.events WHERE topic LIKE 'lead.%'"
        ).fetchone() or (None, None)
    assert (captured, late) == (150, 0)
    assert actors > 10
    assert last - first > timedelta(days=40)
    assert last < datetime.now(UTC)


def test_tables_are_folds_and_the_past_can_be_asked(filled: str) -> None:
    catch_up(filled)
    middle = datetime.now(UTC) - timedelta(days=25)
    conversion = find("conversion")
    with connect(filled) as conn:
        for projection in PROJECTIONS.values():
            assert all(verdict.equal for verdict in verify(conn, projection))
        asked = ({}, {"as_known": middle}, {"as_of": middle})
        now, known, happened = (
            reports.run(conn, conversion, read(conversion, given, ZONE.key))["total"]
            for given in asked
        )
    assert now["leads"] == 150
    assert 0 < known["leads"] <= happened["leads"] < 150


def test_a_filled_database_is_not_filled_again(filled: str) -> None:
    with psycopg.connect(filled) as conn:
        before = conn.execute("SELECT count(*) FROM log.leadlog_events").fetchone()
        assert demo(filled).returncode == 0
        after = conn.execute("SELECT count(*) FROM log.leadlog_events").fetchone()
    assert after == before


def test_a_database_with_other_events_is_refused(dsn: str, tmp_path: Path) -> None:
    history = tmp_path / "history.csv"
    history.write_text("seq,ts,lead_id,type,data\n1,,1,LeadCreated,{}\n")
    env = os.environ | {"LEADLOG_DATABASE": dsn, "LEADLOG_ALLOW_UNSAFE_POSTGRES": "true"}
    line = [sys.executable, "-m", "adapters.cli", "import", "history", str(history)]
    subprocess.run([*line, "--source", "crm"], env=env, check=True, capture_output=True)
    done = demo(dsn)
    assert done.returncode == 1
    assert done.stderr.strip().startswith("leadlog: this database has events")


def test_what_it_prints_to_try_works(open_tmp: Path) -> None:
    """The whole of `make demo`, small: every printed line is run."""
    env = os.environ | {"LEADLOG_DATA_DIR": str(open_tmp / "data")}
    line = [sys.executable, "-m", "adapters.cli", "demo", "--leads", "60", "--port", "8971"]
    output = open_tmp / "output"
    with output.open("w") as out:
        process = subprocess.Popen(line, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait_until(lambda: "leadlog serves http" in output.read_text())
        printed = output.read_text().replace(
            ".venv/bin/leadlog", f"{sys.executable} -m adapters.cli"
        )
        tries = [t.strip() for t in printed.splitlines() if re.match(r"  (curl|LEADLOG|psql)", t)]
        assert len(tries) >= 6
        for one in tries:
            done = subprocess.run(["bash", "-c", one], capture_output=True, text=True, check=False)
            assert done.returncode == 0, (one, done.stderr)
            assert done.stdout.strip(), one
            assert '"type":"/problems' not in done.stdout, (shlex.split(one)[:3], done.stdout)
    finally:
        process.terminate()
        process.wait(30)


def _wait_until(condition: object, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        assert time.monotonic() < end, "it did not come up"
        time.sleep(0.1)
