"""S13: what the Merkle tree costs, in CPU for each event, against COPY of the same rows.

CPU is that of this process and of all of PostgreSQL: hashes of leaves are made there, those of
nodes here. Also how fast `audit verify` reads the log, and how many bytes an event's hashes take.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from adapters.key_file import KeyFile
from adapters.postgres.checkpointing import ROLE, make_checkpoint
from adapters.postgres.log_check import check_log
from adapters.postgres.tables import connect
from bench.harness import Figure, Server, interleaved, seconds

EVENTS = 200_000
FILL = """
INSERT INTO log.leadlog_events
  (originator_id, originator_version, topic, state, notification_id, recorded_at)
SELECT md5((n / 10)::text)::uuid, n %% 10 + 1, 'lead.stage-changed', convert_to(jsonb_build_object(
         'occurred_at', '2024-05-01T01:15:00Z', 'stage', '方案提交', 'filler', repeat('x', 250),
         'meta', jsonb_build_object('actor', 'user:li', 'command_id', gen_random_uuid()))::text,
       'UTF8'), n + 1, '2024-05-01'
FROM generate_series(0, %s - 1) n
"""


def run(server: Server, rounds: int) -> list[Figure]:
    """Hash and sign a log that has no checkpoint, and verify it."""
    results = interleaved(
        rounds, checkpoint=lambda: _checkpoint(server), copy=lambda: _copy(server)
    )
    ratio = results["checkpoint"] / results["copy"]
    dsn = _filled(server)
    _covered(dsn)
    rate = EVENTS / seconds(lambda: _verify(dsn))
    return [
        Figure(
            "S13", f"a first checkpoint of {EVENTS:,} events, CPU for each / COPY of as many rows",
            f"{results['checkpoint']:.1f} us", f"{results['copy']:.1f} us", ratio, "", None,
        ),
        Figure(
            "S13", "audit verify, every leaf hashed anew; bytes of hashes for each event",
            f"{rate:,.0f}/s, {_bytes(dsn):.1f} B", "-", None, "", None,
        ),
    ]  # fmt: skip


def _filled(server: Server) -> str:
    dsn = server.database()
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(FILL, (EVENTS,))
        conn.execute("VACUUM ANALYZE log.leadlog_events")
        conn.execute("CHECKPOINT")
    return dsn


def _checkpoint(server: Server) -> float:
    dsn = _filled(server)
    return _cpu(server, lambda: _covered(dsn))


def _covered(dsn: str) -> None:
    with tempfile.TemporaryDirectory() as directory, connect(dsn, ROLE, autocommit=True) as conn:
        make_checkpoint(conn, KeyFile(Path(directory) / "signing.key"))


def _copy(server: Server) -> float:
    dsn = _filled(server)
    with psycopg.connect(dsn) as conn, conn.cursor(binary=True) as cursor:
        cursor.execute("CREATE TABLE copied (LIKE log.leadlog_events INCLUDING INDEXES)")
        rows = cursor.execute(
            "SELECT originator_id, originator_version, topic, state, notification_id, recorded_at"
            " FROM log.leadlog_events ORDER BY notification_id"
        ).fetchall()

        def copy() -> None:
            with cursor.copy("COPY copied FROM STDIN (FORMAT BINARY)") as into:
                into.set_types(["uuid", "int8", "text", "bytea", "int8", "timestamptz"])
                for row in rows:
                    into.write_row(row)
            conn.commit()

        return _cpu(server, copy)


def _cpu(server: Server, work: Callable[[], object]) -> float:
    """Microseconds for each event."""
    before = time.process_time() + server.cpu_seconds()
    work()
    return (time.process_time() + server.cpu_seconds() - before) / EVENTS * 1e6


def _verify(dsn: str) -> None:
    with connect(dsn, "leadlog_auditor", autocommit=True) as conn:
        checked = check_log(conn)
    assert checked.fault is None, checked.fault
    assert checked.covered == EVENTS


def _bytes(dsn: str) -> float:
    with psycopg.connect(dsn) as conn:
        row = conn.execute("SELECT pg_total_relation_size('audit.tiles')").fetchone()
    assert row is not None
    return float(row[0]) / EVENTS
