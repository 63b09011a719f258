"""S2, S3: durable appends of one event, against the library's recorder and against pgbench."""

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import uvloop
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres.event_log import GroupCommitter, StoredAppend
from adapters.postgres.session import Session
from bench.harness import Figure, Server, interleaved

SECONDS = 4.0
STATE = b'{"occurred_at":"2024-05-01T01:15:00Z","stage":"' + b"x" * 160 + b'"}'
ROW = (
    "CREATE TABLE IF NOT EXISTS one_row"
    " (id uuid PRIMARY KEY, v bigint, topic text, state bytea, at timestamptz DEFAULT now())"
)
INSERT = (
    "INSERT INTO one_row (id, v, topic, state)"
    f" VALUES (gen_random_uuid(), 1, 'lead.stage-changed', '{STATE.decode()}');"
)


def run(server: Server, rounds: int) -> list[Figure]:
    dsn = server.database()
    rates = interleaved(
        rounds,
        ours=lambda: uvloop.run(_group_commits(dsn, in_flight=64)),
        library=lambda: _library(dsn, threads=16),
        pgbench=lambda: _pgbench(server, dsn, clients=16),
    )
    ours = f"{rates['ours']:,.0f}/s"
    against_library = rates["ours"] / rates["library"]
    against_pgbench = rates["ours"] / rates["pgbench"]
    return [
        Figure(
            "S2", "durable appends, 64 in flight / library's recorder, 16 threads",
            ours, f"{rates['library']:,.0f}/s", against_library, ">= 15 x", against_library >= 15,
        ),
        Figure(
            "S3", "the same / pgbench one-row INSERT, 16 clients, prepared",
            ours, f"{rates['pgbench']:,.0f}/s", against_pgbench, ">= 1 x", against_pgbench >= 1,
        ),
    ]  # fmt: skip


async def _group_commits(dsn: str, in_flight: int) -> float:
    """Appends per second."""
    session = Session(dsn, "leadlog_writer")
    committer = GroupCommitter(session)
    stop = time.perf_counter() + SECONDS

    async def client() -> int:
        done = 0
        while time.perf_counter() < stop:
            event = (uuid4(), 1, "lead.stage-changed", STATE)
            await committer.append(StoredAppend(uuid4(), b"f" * 16, [event]))
            done += 1
        return done

    total = sum(await asyncio.gather(*(client() for _ in range(in_flight))))
    await session.close()
    return total / SECONDS


def _library(dsn: str, threads: int) -> float:
    """Saves per second through eventsourcing's own recorder, in a table of its own."""
    parts = conninfo_to_dict(dsn)
    store = PostgresDatastore(
        *(str(parts.get(key, "")) for key in ("dbname", "host", "port", "user", "password")),
        pool_size=threads,
    )
    recorder = PostgresApplicationRecorder(store, events_table_name="stock_events")
    recorder.create_table()
    stop = time.perf_counter() + SECONDS

    def client(_: int) -> int:
        done = 0
        while time.perf_counter() < stop:
            recorder.insert_events([StoredEvent(uuid4(), 1, "lead.stage-changed", STATE)])
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        total = sum(pool.map(client, range(threads)))
    store.close()
    return total / SECONDS


def _pgbench(server: Server, dsn: str, clients: int) -> float:
    """Transactions per second of the smallest durable INSERT."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(ROW)
    program = shutil.which("pgbench") or next(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(INSERT)
        script.flush()
        output = subprocess.run(
            [program, "-n", "-f", script.name, "-c", str(clients), "-j", "2",
             "-M", "prepared", "-T", str(int(SECONDS)), dsn],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    found = re.search(r"tps = ([\d.]+) \(without", output)
    assert found, output
    return float(found[1])
