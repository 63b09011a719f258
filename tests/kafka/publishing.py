"""A log's events in a topic, by code of its own: whole, or as badly as a test wants."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from random import Random
from typing import NamedTuple
from uuid import UUID

import psycopg
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from adapters.kafka.local import LocalKafka
from tests.kafka.topics import create_topic, messages

EVENTS = (
    "SELECT originator_id, originator_version, notification_id, topic, recorded_at, state"
    " FROM log.leadlog_events WHERE notification_id > %s ORDER BY notification_id"
)


class Message(NamedTuple):
    """What a topic is sent; `partition` None = where its key belongs."""

    key: bytes
    value: bytes
    partition: int | None = None


class Topic:
    """A topic and what was sent to it. `count` is the number of messages that it has by now."""

    def __init__(self, kafka: LocalKafka, prefix: str, partitions: int = 4) -> None:
        self.name, self.prefix, self.partitions = f"{prefix}.events", prefix, partitions
        self.count = 0
        self._kafka, self._published = kafka, 0
        create_topic(kafka, self.name, partitions)

    def publish(self, dsn: str) -> list[Message]:
        """Send what is new in the log, and what that was."""
        new = self.new(dsn)
        self.send(new)
        return new

    def new(self, dsn: str) -> list[Message]:
        """The log's events since the last time."""
        with psycopg.connect(dsn) as conn:
            rows = conn.execute(EVENTS, (self._published,)).fetchall()
        self._published = rows[-1][2] if rows else self._published
        return [message(*row) for row in rows]

    def send(self, wanted: Iterable[Message]) -> None:
        """Send messages; all are there when this returns."""
        producer = KafkaProducer(
            bootstrap_servers=self._kafka.bootstrap, reconnect_backoff_max_ms=500, linger_ms=5
        )
        try:
            sent = [
                producer.send(self.name, m.value, key=m.key, partition=m.partition) for m in wanted
            ]
            for one in sent:
                one.get(60)
            self.count += len(sent)
        finally:
            producer.close(timeout=5)

    def forget(self, rng: Random) -> None:
        """Delete the beginning of every partition, of the first one everything."""
        counts = Counter(m.partition for m in messages(self._kafka, self.name))
        upto = {
            TopicPartition(self.name, n): rng.randint(1, count) if n else count
            for n, count in counts.items()
        }
        admin = KafkaAdminClient(bootstrap_servers=self._kafka.bootstrap)
        try:
            admin.delete_records(upto)
        finally:
            admin.close()


def message(
    stream: UUID, version: int, position: int, topic: str, at: datetime, state: bytes
) -> Message:
    """An event as a CloudEvent in structured JSON."""
    attributes = {
        "specversion": "1.0",
        "id": f"{stream}/{version}",
        "source": "leadlog",
        "type": topic,
        "time": at.astimezone(UTC).isoformat(),
        "dataschema": f"urn:leadlog:event:{topic}:1",
        "datacontenttype": "application/json",
        "position": position,
    }
    head = json.dumps(attributes, ensure_ascii=False).encode()
    return Message(str(stream).encode(), head[:-1] + b', "data": ' + state + b"}")
