"""S14: the relay, against a bare kafka-python producer that sends the same bytes from memory.

CPU is that of this process, which relays or produces, and of all of PostgreSQL; the broker's is not
counted. The broker is real, one of its kind, on the same machine.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from statistics import median
from typing import NamedTuple

import psycopg
from kafka import KafkaProducer

from adapters.kafka import relay
from adapters.kafka.local import LocalKafka
from adapters.kafka.message import HEADERS, key_of, value_of
from adapters.kafka.producing import BATCH_BYTES, LINGER_MS
from adapters.kafka.topic import ensure_topic
from adapters.postgres import log_reader
from adapters.settings import Settings
from bench.harness import Figure, Server, directory
from bench.history import fill

PARTITIONS = 4
LOOK_SECONDS = 0.02
LAG = (
    "SELECT (SELECT max(notification_id) FROM log.leadlog_events) - position FROM relay.checkpoint"
    " WHERE topic = %s"
)
ROWS = f"SELECT {log_reader.COLUMNS} FROM log.leadlog_events ORDER BY notification_id"
_numbers = count(1)


class Cost(NamedTuple):
    """Of each event: wall time and CPU, in microseconds."""

    wall: float
    cpu: float


def run(server: Server, rounds: int, events: int) -> list[Figure]:
    """Copy a log of so many events to a new topic each time, and send the same by hand."""
    dsn = server.database()
    fill(dsn, events)
    messages = _messages(dsn)
    ours: list[Cost] = []
    bare: list[Cost] = []
    with directory() as root, LocalKafka(root / "kafka") as kafka:
        for _ in range(rounds):
            ours.append(_cost(server, events, partial(_relay, dsn, _fresh(kafka))))
            bare.append(_cost(server, events, partial(_produce, _fresh(kafka), messages)))
    wall = [median(cost.wall for cost in side) for side in (ours, bare)]
    cpu = [median(cost.cpu for cost in side) for side in (ours, bare)]
    return [
        Figure(
            "S14", f"relay, {events:,} events of the log / bare producer of the same bytes",
            f"{1e6 / wall[0]:,.0f}/s", f"{1e6 / wall[1]:,.0f}/s", wall[1] / wall[0], "", None,
        ),
        Figure(
            "S14", "the same, CPU for each event",
            f"{cpu[0]:.1f} us", f"{cpu[1]:.1f} us", cpu[0] / cpu[1], "", None,
        ),
    ]  # fmt: skip


def _fresh(kafka: LocalKafka) -> Settings:
    """Settings of a topic that is there and empty."""
    settings = Settings(
        kafka=kafka.bootstrap, kafka_prefix=f"bench-{next(_numbers)}", kafka_partitions=PARTITIONS
    )
    ensure_topic(settings)
    return settings


def _messages(dsn: str) -> list[tuple[bytes, bytes]]:
    """What the relay will send, but for the subjects: they are looked up."""
    with psycopg.connect(dsn) as conn:
        rows = conn.cursor(binary=True).execute(ROWS).fetchall()
    return [(key_of(row), value_of(row, "leadlog.bench", "XLSH20240501001")) for row in rows]


def _relay(dsn: str, settings: Settings) -> None:
    stop, topic = threading.Event(), ensure_topic(settings)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(dsn, autocommit=True) as conn:
        running = pool.submit(relay.run_forever, dsn, settings, stop)
        while conn.execute(LAG, (topic,)).fetchone() != (0,):
            time.sleep(LOOK_SECONDS)
        stop.set()
        running.result()


def _produce(settings: Settings, messages: Sequence[tuple[bytes, bytes]]) -> None:
    assert settings.kafka
    producer = KafkaProducer(
        bootstrap_servers=list(settings.kafka), linger_ms=LINGER_MS, batch_size=BATCH_BYTES
    )
    for key, value in messages:
        producer.send(settings.kafka_topic, value, key, HEADERS)
    producer.close()


def _cost(server: Server, events: int, work: Callable[[], None]) -> Cost:
    began, used = time.perf_counter(), time.process_time() + server.cpu_seconds()
    work()
    cpu = time.process_time() + server.cpu_seconds() - used
    return Cost((time.perf_counter() - began) / events * 1e6, cpu / events * 1e6)
