"""S8: `leadlog import history` of a file, against COPY of the same rows into one table.

The command is timed from start to end, its start-up included, with the projections' worker running
on the same database, as it does in a company that imports while it works.
"""

import csv
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from aggregates.event import Event
from aggregates.lead import events as e
from bench import services
from bench.harness import Figure, Server, interleaved, seconds
from bench.history import made_up

ROWS = 300_000
HEADER = ("seq", "ts", "lead_id", "type", "data")
TABLE = "(seq bigint PRIMARY KEY, ts timestamptz, lead_id text, type text, data jsonb)"


def run(server: Server, rounds: int, rows: int = ROWS) -> list[Figure]:
    """Rows per second of both, and their ratio."""
    with tempfile.TemporaryDirectory(prefix="leadlog-bench-") as directory:
        file = Path(directory) / "history.csv"
        write(file, rows)
        took = interleaved(
            rounds,
            ours=lambda: _import(server.database(), file),
            copy=lambda: _copy(server.database(), file),
        )
    rate, copied = rows / took["ours"], rows / took["copy"]
    return [
        Figure(
            "S8", f"import history of {rows:,} rows, worker running / COPY of the same rows",
            f"{rate:,.0f}/s", f"{copied:,.0f}/s", rate / copied, ">= 0.1 x, >= 10,000/s",
            rate / copied >= 0.1 and rate >= 10_000,
        )
    ]  # fmt: skip


def _import(dsn: str, file: Path) -> float:
    """Seconds."""
    with services.running(services.LEADLOG, "worker", "--database", dsn):
        return seconds(
            lambda: services.run("import", "history", file, "--source", "bench", "--database", dsn)
        )


def _copy(dsn: str, file: Path) -> float:
    """Seconds."""
    with psycopg.connect(dsn) as conn, file.open("rb") as stream:
        conn.execute(f"CREATE TABLE copied {TABLE}")
        return seconds(lambda: _send(conn, stream))


def _send(conn: psycopg.Connection[Any], stream: Any) -> None:
    with conn.cursor().copy("COPY copied FROM STDIN (FORMAT csv, HEADER)") as copy:
        while block := stream.read(1 << 16):
            copy.write(block)
    conn.commit()


def write(file: Path, rows: int) -> None:
    """A history file of so many rows."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        writer.writerows(_rows(rows))


def _rows(size: int) -> Iterator[tuple[object, ...]]:
    for seq, (stream, _, event) in enumerate(made_up(size, seed=1), 1):
        kind, data = _fact(event)
        at = event.occurred_at or datetime.now(UTC)
        yield seq, at.isoformat(), str(stream), kind, msgspec.json.encode(data).decode()


def _fact(event: Event) -> tuple[str, dict[str, Any]]:
    """The row that an import turns into such an event."""
    match event:
        case e.LeadCaptured():
            return "LeadCreated", {**event.details, "channel": event.details["source"]}
        case e.LeadAssigned():
            return "OwnerAssigned", {"owner": event.owner, "team": event.team}
        case e.StageChanged():
            return "StatusChanged", {"to": event.stage}
        case e.FollowUpRecorded():
            status = "connected" if event.connected else "no answer"
            return "ActivityLogged", {"kind": event.method, "by": event.by, "status": status}
        case e.LeadConverted():
            return "LeadConverted", {"amount": str(event.amount)}
        case e.LeadInvalidated():
            return "LeadLost", {"reason": event.reason}
    raise AssertionError(event)
