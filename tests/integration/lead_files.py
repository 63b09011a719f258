"""Files of leads for the tests of `import leads`, the command, and what it leaves."""

import csv
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.integration.history_files import program
from tests.sealed import unsealed

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
    "SELECT e.*, k.wrapped FROM log.leadlog_events e"
    " LEFT JOIN privacy.keys k ON k.stream = e.originator_id"
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
    with psycopg.connect(dsn, row_factory=dict_row) as conn:
        rows = conn.execute(CAPTURED).fetchall()
    keys = {row["originator_id"]: row["wrapped"] for row in rows if row["wrapped"]}
    return [unsealed(row, keys) for row in rows]


def scalar(dsn: str, query: str) -> int:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(query).fetchone()
    assert row
    return int(row[0])


def head(dsn: str) -> int:
    return scalar(dsn, "SELECT count(*) FROM log.leadlog_events")
