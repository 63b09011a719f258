"""One worker's steps between the broker and its database, where something comes between them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from kafka import KafkaAdminClient, KafkaConsumer

from adapters.kafka.consumer import BATCH, _Follower
from adapters.kafka.local import LocalKafka
from adapters.postgres import fed
from adapters.postgres.tables import connect
from adapters.settings import Settings
from aggregates.lead.events import LeadCaptured
from tests.conformance.histories import Entry, append
from tests.kafka.feeding import read_so_far, until
from tests.kafka.publishing import Topic

SETTINGS = Settings(allow_unsafe_postgres=True)
STREAM = UUID(int=7)
STREAMS = "SELECT count(*) FROM projection.streams"
# As the worker before would, which was not done yet.
MOVE = (
    "INSERT INTO projection.partitions (partition, next_offset, end_offset) VALUES (0, 4, 4)"
    " ON CONFLICT (partition) DO UPDATE SET next_offset = 4, end_offset = 4"
)


class _Watched(KafkaConsumer):  # type: ignore[misc]
    """A consumer that tells how much it brought, and lets others act after it was asked."""

    brought = 0
    asked: Callable[[], None] | None = None

    def poll(self, *args: Any, **options: Any) -> Any:
        found = super().poll(*args, **options)
        self.brought += sum(map(len, found.values()))
        return found

    def end_offsets(self, *args: Any, **options: Any) -> Any:
        found = super().end_offsets(*args, **options)
        act, self.asked = self.asked, None
        if act:
            act()
        return found


@contextmanager
def _following(
    kafka: LocalKafka, topic: Topic, dsn: str, asked: Callable[[], None] | None = None
) -> Iterator[_Watched]:
    """A worker without the log, in a thread, for as long as the block lasts."""
    stop = threading.Event()
    consumer = _Watched(
        bootstrap_servers=kafka.bootstrap,
        group_id=topic.name,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    consumer.asked = asked
    try:
        with connect(dsn) as conn, ThreadPoolExecutor(1) as pool:
            running = pool.submit(_Follower(consumer, conn, None, topic.name, stop).run)
            try:
                yield consumer
            finally:
                stop.set()
            running.result()
    finally:
        consumer.close(timeout_ms=1000)


def test_a_partition_that_waits_is_not_read_on(
    dsn: str,
    second_dsn: str,
    kafka: LocalKafka,
    prefix: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is behind the gap is not brought again and again, only to be dropped."""
    topic = Topic(kafka, prefix, partitions=1)
    append(dsn, _two())
    topic.send(topic.new(dsn)[1:] * (3 * BATCH))
    fed.claim(second_dsn, topic.name, SETTINGS)
    with _following(kafka, topic, second_dsn) as consumer:
        until(lambda: caplog.text.count("its partition waits") == 3)
        assert consumer.brought <= 4 * BATCH
    with connect(second_dsn) as conn:
        assert fed.lag(conn) == topic.count


def test_a_partition_that_another_still_reads_was_not_made_anew(
    dsn: str,
    second_dsn: str,
    kafka: LocalKafka,
    prefix: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The one before takes what comes just after this one has asked where the partition ends."""
    topic = Topic(kafka, prefix, partitions=1)
    append(dsn, _two())
    sent = topic.publish(dsn)
    fed.claim(second_dsn, topic.name, SETTINGS)

    def read_on() -> None:
        topic.send(sent)
        with psycopg.connect(second_dsn) as conn:
            conn.execute(MOVE)

    with _following(kafka, topic, second_dsn, read_on) as consumer:
        until(lambda: consumer.brought > 0)
    assert "was made anew" not in caplog.text


def test_a_topic_that_was_made_anew_meanwhile_is_read_from_its_beginning(
    dsn: str, second_dsn: str, kafka: LocalKafka, prefix: str
) -> None:
    """Also when it is longer by now than the old one was: that had copies."""
    topic = Topic(kafka, prefix, partitions=1)
    append(dsn, _two())
    topic.send(topic.publish(dsn))
    fed.claim(second_dsn, topic.name, SETTINGS)
    with _following(kafka, topic, second_dsn):
        until(lambda: read_so_far(second_dsn) == topic.count == 4)
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.delete_topics([topic.name])
    until(lambda: topic.name not in admin.list_topics())
    admin.close()
    append(dsn, _two(UUID(int=8)) + _two(UUID(int=9)))
    topic = Topic(kafka, prefix, partitions=1)
    topic.publish(dsn)
    with _following(kafka, topic, second_dsn):
        until(lambda: read_so_far(second_dsn) == topic.count == 6)
    with psycopg.connect(second_dsn) as conn:
        assert conn.execute(STREAMS).fetchone() == (3,)


def _two(stream: UUID = STREAM) -> list[Entry]:
    return [Entry(stream, version, LeadCaptured(code="A")) for version in (1, 2)]
