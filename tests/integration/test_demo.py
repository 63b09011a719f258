"""The simulated company: the same for a seed, valid throughout, and what it prints works."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.rows import dict_row

from adapters.company import open_company
from adapters.demo import company
from adapters.demo.fill import Demo, fill, find_demo
from adapters.demo.plan import plan
from adapters.demo.story import Times
from adapters.directory import operator
from adapters.people import TOKEN_FILE
from adapters.postgres import reports
from adapters.postgres.register import read_register
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.postgres.verify import verify
from adapters.settings import Settings
from commands.lead.entry import CaptureLead
from commands.lead.ownership import AssignLead
from commands.lead.work import RecordFollowUp
from projections.catalogue import PROJECTIONS
from projections.reports.catalogue import find
from projections.reports.params import read
from tests import forked
from tests.conftest import ROOT
from tests.sealed import unsealed
from tests.seed import SEED
from tests.size import size

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


def test_everybody_does_only_what_they_were_there_for() -> None:
    """Leads are given to people of the region's team; who has left gets and does nothing."""
    times = Times(START, END, ZONE)
    reps = {rep.name: rep for rep in company.REPS}
    assert any(times.has_left(rep, END) for rep in company.REPS)
    regions: dict[int, str | None] = {}
    for step in plan(SEED, 300, START, END, ZONE):
        if isinstance(step.command, CaptureLead):
            regions[step.lead] = step.command.region
        if isinstance(step.command, AssignLead):
            rep = reps[step.command.owner]
            assert (rep.team.name, rep.team.region) == (step.command.team, regions[step.lead])
            assert not times.has_left(rep, step.at), f"SEED={SEED}"
        if isinstance(step.command, RecordFollowUp):
            rep = reps[step.actor.removeprefix("user:")]
            assert not times.has_left(rep, step.command.occurred_at or step.at), f"SEED={SEED}"


def test_its_telephone_numbers_belong_to_nobody() -> None:
    captured = [s.command for s in plan(SEED, 200, START, END, ZONE) if "Capture" in s.key]
    numbers = [c.phone for c in captured if isinstance(c, CaptureLead) and c.phone]
    assert len(numbers) > 100
    assert all(re.fullmatch(r"1\d\d0000\d{4}", number) for number in numbers), f"SEED={SEED}"


def fill_with(dsn: str, demo: Demo) -> None:
    settings = Settings(database=dsn, allow_unsafe_postgres=True)
    company = open_company(dsn, settings, clock="simulated")
    fill(dsn, company, demo, planned=lambda _: None, progress=lambda _: None)


def log_of(dsn: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as conn:
        keys = dict(conn.execute("SELECT stream, wrapped FROM privacy.keys").fetchall())
        rows = conn.cursor(row_factory=dict_row).execute(
            "SELECT notification_id, originator_id, originator_version, topic, state, recorded_at"
            " FROM log.leadlog_events ORDER BY 1"
        )
        return [(*(row | {"state": unsealed(row, keys)}).values(),) for row in rows]


def facts_of(dsn: str) -> list[tuple[object, ...]]:
    """The log without positions and codes, of which a second attempt may leave some out."""
    with psycopg.connect(dsn) as conn:
        return conn.execute(
            "SELECT stream, version, topic, occurred_at, recorded_at, actor,"
            " data - '{code,follow_up}'::text[] FROM audit.events ORDER BY stream, version"
        ).fetchall()


def test_a_seed_gives_one_log(dsn: str, second_dsn: str) -> None:
    """Positions, codes and both times included, and what is sealed, each time by another key."""
    for each in (dsn, second_dsn):
        fill_with(each, Demo(SEED, 60, START, END))
    first = log_of(dsn)
    assert first == log_of(second_dsn), f"SEED={SEED}"
    assert len(first) > 420


def test_killed_half_way_it_goes_on_to_the_same_facts(dsn: str, second_dsn: str) -> None:
    whole = Demo(SEED, size(80, 400), START, END)
    fill_with(second_dsn, whole)
    expected = facts_of(second_dsn)
    with forked.Forked(fill_with, dsn, whole), psycopg.connect(dsn, autocommit=True) as conn:
        _wait_until(lambda: _events(conn) > len(expected) // 3)
    assert 0 < len(facts_of(dsn)) < len(expected), "it was killed too late to show anything"
    found, any_event = find_demo(dsn)
    assert any_event
    assert found == whole
    done = demo(dsn, "--leads", "7", "--seed", "7")
    assert done.returncode == 0, done.stderr
    assert "going on where an earlier run was interrupted" in done.stderr
    assert [f for f in facts_of(dsn) if f[5] != operator()] == expected, f"SEED={SEED}"


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo leaves its administrator's token there: never in the place of this machine's own."""
    monkeypatch.setenv("LEADLOG_DATA_DIR", str(tmp_path))


def demo(dsn: str, *options: str) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {"LEADLOG_DATABASE": dsn, "LEADLOG_ALLOW_UNSAFE_POSTGRES": "true"}
    line = ["demo", "--no-serve", "--leads", "100", "--months", "2"]
    return forked.run(*line, *options, environment=env)


@pytest.fixture(scope="module")
def filled(module_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("demo")
    (directory / TOKEN_FILE).write_text("the real company's")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADLOG_DATA_DIR", str(directory))
        done = demo(module_dsn)
        assert done.returncode == 0, done.stderr
        assert (directory / TOKEN_FILE).read_text() == "the real company's"
        yield module_dsn


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
    assert (captured, late) == (100, 0)
    assert actors > 20, "reps, supervisors, marketing and the website's form"
    assert last - first > timedelta(days=40)
    assert last < datetime.now(UTC)


def test_its_teams_have_supervisors(filled: str) -> None:
    """R5, R115: as the directory says it, so a supervisor's token shows their team's leads."""
    with connect(filled) as conn:
        register = read_register(conn)
    supervisors = {name: team.supervisor for name, team in register.teams.items()}
    assert supervisors == {team.name: team.supervisor for team in company.TEAMS}
    assert {person.team for person in register.people.values()} - {None} == supervisors.keys()


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
    assert now["leads"] == 100
    assert 0 < known["leads"] <= happened["leads"] < 100


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
    forked.run("import", "history", history, "--source", "crm", environment=env)
    done = demo(dsn)
    assert done.returncode == 1
    assert done.stderr.strip().startswith("leadlog: this database has events")


@pytest.fixture(scope="module")
def served(run_dir: Path) -> Iterator[tuple[Path, int, str]]:
    """The whole of `make demo`, small: its data directory, its port, what it printed."""
    root = run_dir / "demo"
    root.mkdir(mode=0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    output = root / "output"
    line = [sys.executable, "-m", "adapters.cli", "demo", "--leads", "60", "--port", str(port)]
    with output.open("w") as out:
        env = os.environ | {"LEADLOG_DATA_DIR": str(root)}
        process = subprocess.Popen(line, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait_until(lambda: "leadlog serves" in output.read_text() or process.poll() is not None)
        assert process.poll() is None, output.read_text()
        yield root / "demo", port, output.read_text()
    finally:
        process.terminate()
        process.wait(30)


def run_in_shell(script: str, **environment: str) -> str:
    """What a script prints, with the program of this environment; it must succeed."""
    script = script.replace(".venv/bin/leadlog", f"{sys.executable} -m adapters.cli")
    line = ["bash", "-euo", "pipefail", "-c", script]
    env = os.environ | environment
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=env, cwd=ROOT)
    assert done.returncode == 0, (script, done.stderr)
    assert done.stdout.strip(), script
    return done.stdout


def test_what_it_prints_to_try_works(served: tuple[Path, int, str]) -> None:
    """Every printed line is run."""
    *_, printed = served
    tries = [t.strip() for t in printed.splitlines() if re.match(r"  (curl|LEADLOG|\S*psql)", t)]
    assert len(tries) == 6
    for one in tries:
        assert '"type":"/problems' not in run_in_shell(one), one


def test_the_tutorial_is_true(served: tuple[Path, int, str]) -> None:
    """Every command of docs/tutorial/first-hour.md is run, in order, in one shell."""
    directory, port, printed = served
    text = (ROOT / "docs/tutorial/first-hour.md").read_text()
    (psql,) = re.findall(r"^  (\S*psql\S* \S+)", printed, re.MULTILINE)
    script = ""
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if kind == "sql":
            script += f"{psql} -v ON_ERROR_STOP=1 <<'END'\n{block}END\n"
        elif not re.search("make demo|LEADLOG_DATA_DIR=|import history", block):
            script += block
    script = script.replace(":8000", f":{port}").replace("CODE=", "sleep 2; CODE=")
    said = run_in_shell(script, LEADLOG_DATA_DIR=str(directory))
    assert "lead.converted" in said, "the replay of a lead that was won"
    assert "139****5678" in said
    assert said.count('"follow_ups":1') == 3, "recorded, said again, moved on"
    assert "vague-follow-up" in said
    assert "may not do report.read" in said


def test_the_curl_lines_of_the_reference_are_true(
    served: tuple[Path, int, str], tmp_path: Path
) -> None:
    """Those of docs/reference/http-api.md (R54 among them), one shell after the other."""
    directory, port, _ = served
    text = (ROOT / "docs/reference/http-api.md").read_text()
    capture, attach = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    token, _, capture = capture.partition("\n")
    token = token.replace("/var/lib/leadlog/", f"{directory}/")
    (tmp_path / "quote.pdf").write_bytes(b"%PDF-1.4\n")

    def said(block: str) -> str:
        script = f"cd {tmp_path}\n{token}\n{block}"
        return run_in_shell(script.replace(":8000", f":{port}"))

    captured = said(capture)
    assert captured.startswith("HTTP/1.1 201 Created"), captured
    assert "139****5678" in captured
    code = json.loads(captured.partition("\n\n")[2])["code"]
    _wait_until(lambda: '"id"' in said(f'curl -sH "Authorization: Bearer $TOKEN" {_url(code)}'))
    attached = said(attach.replace("XLSH20240501001", code))
    assert '"name":"A科技有限公司-报价单-20240502.pdf"' in attached, attached


def _url(code: str) -> str:
    return f"http://127.0.0.1:8000/v1/leads/{code}"


def _events(conn: psycopg.Connection[tuple[int]]) -> int:
    row = conn.execute("SELECT count(*) FROM log.leadlog_events").fetchone()
    assert row is not None
    return row[0]


def _wait_until(condition: object, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        assert time.monotonic() < end, "it did not come up"
        time.sleep(0.1)
