"""History files for the tests of `import history`, the command, and the log it leaves."""

import csv
import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.cli import main

HEADER = ("seq", "ts", "lead_id", "type", "data")
AT = "2024-05-02T10:00:00"
LOG = (
    "SELECT originator_id, originator_version, topic, convert_from(state, 'UTF8')"
    " FROM log.leadlog_events ORDER BY notification_id"
)
UNSAFE = "LEADLOG_ALLOW_UNSAFE_POSTGRES"


def text(rows: Iterable[Iterable[Any]], header: Iterable[str] = HEADER) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([header, *rows])
    return out.getvalue()


def write(directory: Path, content: str | bytes, name: str = "history.csv") -> Path:
    path = directory / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def imported(
    dsn: str, file: Path, *options: object, source: str = "crm"
) -> "subprocess.CompletedProcess[str]":
    return program(dsn, "import", "history", file, "--source", source, *options)


def program(dsn: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """The program's `main` in this process: starting one costs more than most of these imports."""
    line = ["leadlog", *map(str, arguments)]
    code: object = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.StringIO()) as out,
        redirect_stderr(io.StringIO()) as err,
    ):
        patch.setenv("LEADLOG_DATABASE", dsn)
        patch.setenv(UNSAFE, "true")
        patch.setattr(sys, "argv", line)
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    if not isinstance(code, int):  # as Python ends a program with a text
        return subprocess.CompletedProcess(line, 1, out.getvalue(), f"{err.getvalue()}{code}\n")
    return subprocess.CompletedProcess(line, code, out.getvalue(), err.getvalue())


def command(dsn: str, *arguments: object) -> tuple[list[str], dict[str, str]]:
    """The same as a program of its own, which can be killed."""
    return program_line(dsn, "import", "history", *arguments)


def program_line(dsn: str, *arguments: object) -> tuple[list[str], dict[str, str]]:
    """How to start the program on a database: its command line and environment."""
    line = [sys.executable, "-m", "adapters.cli", *map(str, arguments)]
    return line, os.environ | {"LEADLOG_DATABASE": dsn, UNSAFE: "true"}


def log(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(LOG).fetchall()


def topics(dsn: str) -> list[str]:
    return [row[2] for row in log(dsn)]


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
