"""Files of leads for the tests of `import leads`, the command, and what it leaves."""

import csv
import subprocess
from pathlib import Path
from typing import Any

import psycopg

from tests.integration.history_files import program

MAPPING = """
key = "编号"
[columns]
"公司" = "customer"
"手机" = "phone"
"邮箱" = "email"
"来源" = "source"
"负责人" = "owner"
"""
HEADER = "编号,公司,手机,邮箱,来源,负责人"
CAPTURED = (
    "SELECT convert_from(state, 'UTF8')::jsonb FROM log.leadlog_events"
    " WHERE topic = 'lead.captured' ORDER BY notification_id"
)
CODES_TAKEN = "SELECT coalesce(sum(last), 0) FROM log.codes"


def written(directory: Path, *rows: str, header: str = HEADER, name: str = "leads.csv") -> Path:
    path = directory / name
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def imported(
    dsn: str, file: Path, *options: object, mapping: str = MAPPING
) -> "subprocess.CompletedProcess[str]":
    words = file.with_suffix(".toml")
    words.write_text(mapping, encoding="utf-8")
    return program(dsn, "import", "leads", file, "--mapping", words, *options)


def sheet(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def captured(dsn: str) -> list[dict[str, Any]]:
    with psycopg.connect(dsn) as conn:
        return [state for (state,) in conn.execute(CAPTURED)]


def scalar(dsn: str, query: str) -> int:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(query).fetchone()
    assert row
    return int(row[0])


def head(dsn: str) -> int:
    return scalar(dsn, "SELECT count(*) FROM log.leadlog_events")
