"""Relays of a test, and what a topic must be after them, judged without the product's code."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import Any

import psycopg
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from kafka.consumer.fetcher import ConsumerRecord
from kafka.partitioner import murmur2

from adapters.kafka.local import LocalKafka
from adapters.kafka.relay import run_forever
from adapters.settings import Settings
from tests.conformance.histories import Entry, append, history, interleaved
from tests.kafka.topics import messages

PATIENCE, LOOK_SECONDS, PAUSE = 60.0, 0.05, 0.1
PARTITIONS = 3
CHECKPOINT = "SELECT position FROM relay.checkpoint"
LAG = (
    "SELECT coalesce((SELECT max(notification_id) FROM log.leadlog_events), 0)"
    " - (SELECT position FROM relay.checkpoint)"
)
EVENTS = (
    "SELECT originator_id::text, originator_version, topic, recorded_at, notification_id, state"
    " FROM log.leadlog_events ORDER BY notification_id"
)
CODES = (
    "SELECT DISTINCT ON (originator_id) originator_id::text,"
    " originator_version, convert_from(state, 'UTF8')::json->>'code' FROM log.leadlog_events"
    " WHERE topic = 'lead.captured' ORDER BY originator_id, originator_version"
)
ORIGIN = "SELECT value FROM log.company WHERE name = 'origin'"


def settings_for(bootstrap: str, prefix: str, **more: Any) -> Settings:
    """The settings of a relay to the topic `<prefix>.events`."""
    return Settings(kafka=bootstrap, kafka_prefix=prefix, kafka_partitions=PARTITIONS, **more)


@contextmanager
def relay_thread(dsn: str, settings: Settings) -> Iterator[None]:
    """A relay in this process, stopped in order at the end."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_forever, dsn, settings, stop)
        try:
            yield
        finally:
            stop.set()
        running.result()


@contextmanager
def relay_process(
    dsn: str, bootstrap: str, prefix: str, **settings: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """`leadlog worker --only relay`, killed at the end."""
    environment = os.environ | {
        "LEADLOG_ALLOW_UNSAFE_POSTGRES": "1",
        "LEADLOG_KAFKA": bootstrap,
        "LEADLOG_KAFKA_PREFIX": prefix,
        "LEADLOG_KAFKA_PARTITIONS": str(PARTITIONS),
        **settings,
    }
    command = [sys.executable, "-m", "adapters.cli", "worker", "--only", "relay", "--database", dsn]
    with subprocess.Popen(command, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def some(rng: Random, leads: int = 10) -> list[Entry]:
    return interleaved(rng, history(rng, leads=leads))


def position(dsn: str) -> int:
    with psycopg.connect(dsn) as conn:
        (found,) = conn.execute(CHECKPOINT).fetchone() or (0,)
    return int(found)


@contextmanager
def appends(dsn: str, rng: Random) -> Iterator[None]:
    """A log that grows in small commits while the block runs."""
    stop = threading.Event()

    def grow() -> None:
        while not stop.wait(PAUSE):
            append(dsn, some(rng), per_commit=10)

    with ThreadPoolExecutor(1) as pool:
        growing = pool.submit(grow)
        try:
            yield
        finally:
            stop.set()
        growing.result()


def await_copied(dsn: str) -> None:
    """Until the checkpoint is at the end of the log."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        until(lambda: conn.execute(LAG).fetchone() == (0,))


def until(reached: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "this takes too long"
        time.sleep(LOOK_SECONDS)


def faults(dsn: str, kafka: LocalKafka, prefix: str) -> list[str]:
    """What is wrong with the topic as a copy of the log: events that are missing, foreign, not as
    they are stored, ahead of an earlier one of their stream, or not where Kafka places their key.
    """
    with psycopg.connect(dsn) as conn:
        log = {f"{row[0]}/{row[1]}": row for row in conn.execute(EVENTS)}
        codes = {stream: (since, code) for stream, since, code in conn.execute(CODES)}
        (source,) = conn.execute(ORIGIN).fetchone() or ("",)
    found: list[str] = []
    latest: dict[str, int] = {}
    seen: set[str] = set()
    for message in messages(kafka, f"{prefix}.events"):
        said = read(message)
        if said["id"] not in log:
            found.append(f"{said['id']} is not in the log")
            continue
        stream, version, *_ = row = log[said["id"]]
        if said != expected(row, source, codes) or not message.value.endswith(row[5] + b"}"):
            found.append(f"{said['id']} is not as it is stored")
        if version > latest.get(stream, 0) + 1:
            found.append(f"{said['id']} is ahead of version {latest.get(stream, 0) + 1}")
        if message.partition != (murmur2(stream.encode()) & 0x7FFFFFFF) % PARTITIONS:
            found.append(f"{said['id']} is in partition {message.partition}")
        latest[stream] = max(version, latest.get(stream, 0))
        seen.add(said["id"])
    return found + [f"{missing} is missing" for missing in log.keys() - seen]


def read(message: ConsumerRecord) -> dict[str, Any]:
    """The attributes and data of a message, read by the CloudEvents project's own library."""
    given = KafkaMessage(dict(message.headers), message.key, message.value)
    event = from_kafka_event(given)
    return {**event.get_attributes(), "data": event.get_data()}


def expected(
    row: Sequence[Any], source: str, codes: Mapping[str, tuple[int, str]]
) -> dict[str, Any]:
    """The same as docs/reference/kafka.md has it, of an event of the log."""
    stream, version, topic, recorded_at, position, state = row
    data = json.loads(state)
    attributes = {
        "specversion": "1.0",
        "id": f"{stream}/{version}",
        "source": source,
        "type": topic,
        "time": recorded_at,
        "datacontenttype": "application/json",
        "dataschema": f"urn:leadlog:event:{topic}:{data.get('class_version', 1)}",
        "position": position,
        "partitionkey": stream,  # the library's name for the message's key
        "data": data,
    }
    since, code = codes.get(stream, (0, ""))
    return attributes | ({"subject": code} if code and version >= since else {})
