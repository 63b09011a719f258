"""Read models fed from Kafka: events per second and CPU per event with 1, 2 and 4 partitions and as
many processes, against the worker on the log with the same projections.

Measured from the first batch to the last, on a topic that has everything. CPU is that of the
workers; the broker's and PostgreSQL's is not in it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg
from kafka import KafkaAdminClient, KafkaProducer

from adapters.kafka.local import LocalKafka
from adapters.kafka.message import key_of, value_of
from adapters.postgres import log_reader
from adapters.postgres.fed import PARTITIONED
from adapters.postgres.runner import catch_up
from bench.harness import Figure, Server, cpu_seconds, directory, seconds
from bench.history import fill

COUNTS = (1, 2, 4)
PATIENCE = 600.0
ROWS = f"SELECT {log_reader.COLUMNS} FROM log.leadlog_events ORDER BY notification_id"
READ = "SELECT coalesce(sum(next_offset), 0)::bigint FROM projection.partitions"


def run(server: Server, events: int) -> list[Figure]:
    """A row for each number of partitions."""
    log = server.database()
    fill(log, events)
    baseline, base_cpu = _on_the_log(log, events)
    with directory() as root, LocalKafka(root / "kafka") as kafka:
        return [_row(server, kafka, log, events, n, baseline, base_cpu) for n in COUNTS]


def _on_the_log(log: str, events: int) -> tuple[float, float]:
    """Events per second and CPU microseconds per event of one worker on the log."""
    used = time.process_time()
    took = seconds(lambda: catch_up(log, PARTITIONED))
    return events / took, (time.process_time() - used) / events * 1e6


def _row(
    server: Server, kafka: LocalKafka, log: str, events: int, count: int,
    baseline: float, base_cpu: float,
) -> Figure:  # fmt: skip
    prefix = f"bench-{count}"
    _publish(kafka, f"{prefix}.events", count, log)
    dsn = server.database()
    with _workers(kafka, prefix, dsn, log, count) as processes, psycopg.connect(dsn) as conn:
        conn.autocommit = True
        first = _until(conn, 1)
        before = sum(cpu_seconds(p) for p in processes)
        took = seconds(lambda: _until(conn, events))
        cpu = sum(cpu_seconds(p) for p in processes) - before
    rate, per_event = (events - first) / took, cpu / (events - first) * 1e6
    return Figure(
        "S15", f"read models fed from Kafka, {count} partitions and processes / worker on the log",
        f"{rate:,.0f}/s, {per_event:.0f} µs CPU per event",
        f"{baseline:,.0f}/s, {base_cpu:.0f} µs", rate / baseline, "-", None,
    )  # fmt: skip


def _publish(kafka: LocalKafka, topic: str, partitions: int, log: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.create_topics({topic: {"num_partitions": partitions}}, wait_for_metadata=True)
    admin.close()
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, linger_ms=20, batch_size=2**18)
    with psycopg.connect(log) as conn:
        for row in conn.cursor("events", binary=True).execute(ROWS):
            producer.send(topic, value_of(row, "bench"), key=key_of(row))
    producer.flush()
    producer.close()


@contextmanager
def _workers(
    kafka: LocalKafka, prefix: str, dsn: str, log: str, count: int
) -> Iterator[list[psutil.Process]]:
    env = os.environ | {
        "LEADLOG_KAFKA": kafka.bootstrap, "LEADLOG_KAFKA_PREFIX": prefix, "LEADLOG_KAFKA_LOG": log,
    }  # fmt: skip
    command = [sys.executable, "-m", "adapters.cli", "worker", "--from-kafka", "--database", dsn]
    started = [subprocess.Popen(command, env=env) for _ in range(count)]
    try:
        yield [psutil.Process(process.pid) for process in started]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def _until(conn: psycopg.Connection[tuple[int]], wanted: int) -> int:
    """Wait until so many messages are read; how many there are by then."""
    end = time.monotonic() + PATIENCE
    while (found := (conn.execute(READ).fetchone() or (0,))[0]) < wanted:
        assert time.monotonic() < end, "this takes too long"
        time.sleep(0.02)
    return found
