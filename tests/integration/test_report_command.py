"""`leadlog report` as people and programs call it."""

import csv
import io
import json
import os
import re
import subprocess

import pytest
from rich.cells import cell_len

from adapters.cli.sheets import Format, show
from tests import forked
from tests.integration.report_log import Log, captured, when, won


def leadlog(dsn: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {"LEADLOG_DATABASE": dsn, "LEADLOG_ALLOW_UNSAFE_POSTGRES": "true"}
    return forked.run("report", *arguments, environment=env)


@pytest.fixture
def log(dsn: str) -> Log:
    log = Log(dsn)
    log.append(
        captured("a", "2024-05-01 09:15", source="[b]网站[/b]"),
        won("a", "2024-05-20 11:00", "85000"),
        captured("b", "2024-05-02 09:15", source='"fair", hall 2'),
    )
    return log


def test_json_is_the_body_and_the_tables_are_brought_up_first(log: Log) -> None:
    done = leadlog(log.dsn, "conversion", "--dimension", "source", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == log.report("conversion", dimension="source")
    assert json.loads(done.stdout)["position"] == 3


@pytest.mark.parametrize(
    ("name", "options", "figure"),
    [
        ("sla-compliance", ("--dimension", "owner,level", "--from", "2024-05-01"), "late_hours"),
        ("workload", ("--dimension", "team"), "unpaused"),
        ("fairness", ("--from", "2024-05-01", "--to", "2024-06-01"), "gini"),
        ("insights", ("--dimension", "industry"), "interval"),
    ],
)
def test_reports_of_time_and_of_people(
    log: Log, name: str, options: tuple[str, ...], figure: str
) -> None:
    """R44, R68, R110: in JSON and as a table that says what was counted."""
    done = leadlog(log.dsn, name, *options, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert figure in json.loads(done.stdout)["total"]
    table = leadlog(log.dsn, name, *options)
    assert table.returncode == 0, table.stderr
    assert figure in table.stdout


def test_every_option_reaches_the_report(log: Log) -> None:
    """Naive times are the company's (decisions 17)."""
    options = (
        *("--dimension", "owner", "--attribution", "all", "--denominator", "valid"),
        *("--cohort", "2024-05", "--from", "2024-05-01", "--to", "2024-05-03"),
        *("--as-of", "2024-05-20 11:00", "--at-position", "3", "--format", "json"),
    )
    done = leadlog(log.dsn, "conversion", *options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == log.report(
        "conversion",
        dimension="owner",
        attribution="all",
        denominator="valid",
        cohort="2024-05",
        from_="2024-05-01",
        to="2024-05-03",
        as_of=when("2024-05-20 11:00"),
        at_position=3,
    )
    known = leadlog(
        log.dsn, "response-time", "--since", "assignment", "--as-known", "2020-01-01T00:00Z",
        "--format", "json",
    )  # fmt: skip
    assert json.loads(known.stdout)["position"] == 0


def test_csv_is_flat_and_survives_any_bucket(log: Log) -> None:
    done = leadlog(log.dsn, "cycle-time", "--dimension", "source", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["bucket"] for row in rows] == ['"fair", hall 2', "[b]网站[/b]"]
    assert rows[1]["calendar_days.mean"] == "19.0"
    assert rows[0]["calendar_days.mean"] == ""
    assert rows[1]["histogram.5.from"] == "14"
    assert rows[1]["histogram.5.n"] == "1"


def test_a_table_has_a_total_and_says_what_was_counted(log: Log) -> None:
    done = leadlog(log.dsn, "conversion", "--dimension", "source")
    assert done.returncode == 0, done.stderr
    assert "conversion by source, log position 3" in done.stdout
    line = next(line for line in done.stdout.splitlines() if "[b]网站[/b]" in line)
    assert "85000.00" in line
    assert "0.5" in next(line for line in done.stdout.splitlines() if "total" in line)
    assert "lost: invalid and not converted" in done.stdout


@pytest.mark.parametrize("columns", [40, 80, 120, None])
def test_no_figure_of_a_table_is_cut(
    columns: int | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a screen of any width, and in a file: two decimals, four below 1."""
    if columns:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(columns))
    hours = {name: 12345.678 + n for n, name in enumerate(("mean", "median", "p25", "p75", "p90"))}
    row = {"bucket": "王建国", "leads": 4321, "rate": 0.12345, "hours": hours, "amount": "85000.00"}
    body = {"report": "r", "dimension": "owner", "position": 7, "definitions": {"a": "b"}}
    show(
        {**body, "rows": [row], "total": {k: v for k, v in row.items() if k != "bucket"}},
        Format.TABLE,
    )
    said = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
    assert "…" not in said
    for figure in ("4321", "0.1235", "12345.68", "12349.68", "85000.00"):
        assert said.count(figure) == 2, (figure, said)
    if columns:
        assert max(map(cell_len, said.splitlines())) <= columns


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["convesion"], "there is no report convesion: choose one of conversion, cycle-time"),
        (["wins", "--dimension", "colour"], "wins has no dimension colour: choose month, quarter"),
        (["funnel", "--attribution", "all"], "attribution: the report funnel knows only"),
        (["conversion", "--as-of", "yesterday"], "--as-of: yesterday is not a time such as"),
        (["conversion", "--at-position", "9"], "at_position: the log has positions 0 to 3"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_1(log: Log, arguments: list[str], says: str) -> None:
    done = leadlog(log.dsn, *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("leadlog: ")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
