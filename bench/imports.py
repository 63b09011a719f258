"""S8: `leadlog import history` of a file, against COPY of the same rows into one table."""

import csv
import json
import subprocess
import tempfile
from pathlib import Path

import psycopg

from bench.harness import Figure, Server, interleaved, seconds
from bench.services import LEADLOG

ROWS = 300_000
ROWS_PER_LEAD = 5
HEADER = ("seq", "ts", "lead_id", "type", "data")


def run(server: Server, rounds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "history.csv"
        _write(file)
        took = interleaved(
            rounds,
            ours=lambda: _import(server.database(), file),
            copy=lambda: _copy(server.database(), file),
        )
    ours, copy = ROWS / took["ours"], ROWS / took["copy"]
    return [
        Figure(
            "S8", f"import history of {ROWS:,} rows, whole command / COPY of the same rows",
            f"{ours:,.0f}/s", f"{copy:,.0f}/s", ours / copy, ">= 10,000/s, >= 0.1 x",
            ours >= 10_000 and ours / copy >= 0.1,
        )
    ]  # fmt: skip


def _write(file: Path) -> None:
    """Leads of five facts each: created, assigned, contacted, moved, won or lost."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        for seq in range(1, ROWS + 1):
            lead, nth = divmod(seq - 1, ROWS_PER_LEAD)
            kind, data = _fact(lead, nth)
            ts = f"2024-{1 + lead % 12:02}-{1 + lead % 28:02}T{8 + nth:02}:15:00"
            text = json.dumps(data, ensure_ascii=False)
            writer.writerow((seq, ts, f"L{lead}", kind, text))


def _fact(lead: int, nth: int) -> tuple[str, dict[str, object]]:
    created = {"channel": "官网", "industry": "制造业", "region": "华东", "city": "上海"}
    facts: tuple[tuple[str, dict[str, object]], ...] = (
        ("LeadCreated", {**created, "customer": f"某{lead}科技有限公司"}),
        ("OwnerAssigned", {"owner": f"R{lead % 40}", "team": f"T{lead % 5}"}),
        ("ActivityLogged", {"kind": "call", "by": f"R{lead % 40}", "status": "successful"}),
        ("StatusChanged", {"to": "方案提交"}),
        ("LeadConverted", {"amount": 85000.5}) if lead % 4 == 0 else ("LeadLost", {}),
    )
    return facts[nth]


def _import(dsn: str, file: Path) -> float:
    command = [LEADLOG, "import", "history", file, "--source", "bench", "--database", dsn]
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def _copy(dsn: str, file: Path) -> float:
    with psycopg.connect(dsn) as conn, conn.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE copied (seq bigint PRIMARY KEY, ts timestamptz, lead_id text,"
            " type text, data jsonb)"
        )
        return seconds(lambda: _send(cursor, file))


def _send(cursor: psycopg.Cursor, file: Path) -> None:
    with cursor.copy("COPY copied FROM STDIN (FORMAT csv, HEADER)") as copy, file.open("rb") as raw:
        while block := raw.read(2**16):
            copy.write(block)
    cursor.connection.commit()
