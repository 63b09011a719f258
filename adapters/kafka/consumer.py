"""Feeds a database of read models from the topic: `leadlog worker --from-kafka` (docs/adr/0018).

The workers of one database are a group of consumers, among whom Kafka divides the partitions. Where
each stands is in the database, in the transaction of the rows; nothing is committed to Kafka. After
a lost broker or database it begins again, with growing pauses, until `stop` is set.
"""

import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from uuid import UUID

import psycopg
from kafka import ConsumerRebalanceListener, KafkaConsumer
from kafka.errors import KafkaError

from adapters.kafka.connection import options
from adapters.kafka.incoming import read
from adapters.kafka.partitions import assignor, partition_of
from adapters.postgres import fed, feed_store
from adapters.postgres.feed_store import Batch
from adapters.postgres.leases import Pauses
from adapters.postgres.source_log import SourceLog, open_source
from adapters.postgres.tables import Connection, connect
from adapters.settings import Settings, StartupError
from commands.ports import Unavailable

logger = logging.getLogger("leadlog.feed")

BATCH = 2_000
PARTITION_BYTES = 4 * 2**20
LOOK_SECONDS, WAIT_SECONDS = 1.0, 1.0
ASK_MS, LEAVE_MS = 5_000, 2_000
IDLE_MS, BUSY_MS = 500, 100
"""How long messages are waited for. Without any time the library never gets into its group."""
IDLE = "SELECT set_config('idle_in_transaction_session_timeout', %s, false)"
"""A worker that the group has given up is not waited for by its database either."""


def run_forever(dsn: str, settings: Settings, stop: threading.Event) -> None:
    """Keep the database's read models at the end of the topic until `stop` is set."""
    if not settings.kafka:
        raise StartupError("--from-kafka: set LEADLOG_KAFKA to the brokers' addresses")
    group = fed.claim(dsn, settings.kafka_topic, settings)
    pauses = Pauses()
    while not stop.is_set():
        pauses.begin()
        try:
            with ExitStack() as stack:
                _open(stack, dsn, settings, settings.kafka_group or group, stop).run()
        except (psycopg.Error, KafkaError, Unavailable) as error:
            pause = pauses.next()
            logger.warning("the topic is not followed, again in %.1f s: %s", pause, error)
            stop.wait(pause)


def _open(
    stack: ExitStack, dsn: str, settings: Settings, group: str, stop: threading.Event
) -> "_Follower":
    conn = stack.enter_context(connect(dsn))
    with conn.transaction():
        conn.execute(IDLE, (f"{settings.kafka_session_seconds}s",))
    log = settings.kafka_log
    source = stack.enter_context(open_source(log.get_secret_value() if log else None))
    consumer = stack.enter_context(_consumer(settings, group))
    _require_topic(consumer, settings)
    return _Follower(consumer, conn, source, settings.kafka_topic, stop)


def _require_topic(consumer: Any, settings: Settings) -> None:
    name = settings.kafka_topic
    there = consumer.partitions_for_topic(name)
    if not there:
        raise Unavailable(f"there is no topic {name}: the relay makes it when it starts")
    if none := set(settings.kafka_read_partitions) - there:
        raise StartupError(
            f"LEADLOG_KAFKA_READ_PARTITIONS: {name} has no partition {min(none)}, only"
            f" {min(there)} to {max(there)}"
        )


@contextmanager
def _consumer(settings: Settings, group: str) -> Iterator[Any]:
    """A member of the group, which leaves it in order, also when the brokers are gone."""
    session = int(settings.kafka_session_seconds * 1000)
    consumer = KafkaConsumer(
        **options(settings),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=[assignor(settings.kafka_read_partitions)],
        session_timeout_ms=session,
        heartbeat_interval_ms=session // 5,
        # A worker that dies while the group divides the partitions anew is waited for so long.
        max_poll_interval_ms=2 * session,
        max_partition_fetch_bytes=PARTITION_BYTES,
        allow_auto_create_topics=False,
        metrics_enabled=False,
    )
    try:
        yield consumer
    finally:
        with suppress(KafkaError):
            consumer.close(timeout_ms=LEAVE_MS)


class _Follower(ConsumerRebalanceListener):  # type: ignore[misc]
    """One connected spell of following. Of a partition, `places` has the offset that is read next,
    as this worker believes, none when it was just given; `cut` where its messages begin, while what
    was before is still to be read in the log; `waiting` until when it is left alone.

    The listener's methods run in a thread of the consumer: they only make this worker ask again.
    """

    def __init__(
        self,
        consumer: Any,
        conn: Connection,
        source: SourceLog | None,
        topic: str,
        stop: threading.Event,
    ) -> None:
        self._consumer, self._conn, self._source = consumer, conn, source
        self._topic, self._stop = topic, stop
        self._places: dict[Any, int] = {}
        self._cut: dict[Any, int] = {}
        self._waiting: dict[Any, float] = {}
        self._look_at = 0.0
        self._topic_id: UUID | None = None

    def on_partitions_assigned(self, assigned: Sequence[Any]) -> None:
        """Whatever was believed, others may have read on meanwhile."""
        self._forget(assigned)

    def on_partitions_revoked(self, revoked: Sequence[Any]) -> None:
        """They are others' now."""
        self._forget(revoked)

    def run(self) -> None:
        """Take what comes until it is time to stop."""
        self._consumer.subscribe([self._topic], listener=self)
        while not self._stop.is_set():
            self._place()
            self._fill()
            pause = BUSY_MS if self._cut else IDLE_MS
            polled = self._consumer.poll(timeout_ms=pause, max_records=BATCH)
            for partition, messages in polled.items():
                start = self._places.pop(partition, None)
                if start is not None:
                    self._take(partition, start, messages)
            self._look_up()

    def _place(self) -> None:
        """Go to where the database stands in the partitions that this worker knows no place of."""
        topic_id = self._consumer._cluster.topic_id(self._topic)
        if topic_id not in (None, self._topic_id):  # made anew under its name
            self._topic_id = topic_id
            self._forget(self._consumer.assignment())
        now = time.monotonic()
        waiting = {partition for partition, until in list(self._waiting.items()) if until > now}
        known = self._places.keys() | self._cut.keys() | waiting
        if not (new := self._consumer.assignment() - known):
            return
        # Before the ends: whoever had a partition until now may still read on.
        places = {
            part: feed_store.place(self._conn, part.partition, self._topic_id) for part in new
        }
        begins = self._consumer.beginning_offsets(list(new), timeout_ms=ASK_MS)
        ends = self._consumer.end_offsets(list(new), timeout_ms=ASK_MS)
        for partition, stored in places.items():
            begin, end = begins[partition], ends[partition]
            place = stored if stored <= end else begin
            if place != stored:
                logger.warning("%s was made anew: reading it from its beginning", partition)
                feed_store.put_back(self._conn, partition.partition, stored, place)
            feed_store.note_end(self._conn, partition.partition, end)
            if place < begin:
                self._make_up(partition, begin)
                self._seek(partition, end)
            elif self._seek(partition, place):
                self._places[partition] = place

    def _seek(self, partition: Any, offset: int) -> bool:
        """Read on from there; at its end a partition brings nothing that would only be dropped.
        False = it is another's by now.
        """
        try:
            self._consumer.seek(partition, offset)
        except ValueError:
            return False
        return True

    def _make_up(self, partition: Any, begin: int) -> None:
        """Read what the topic no longer has in the log, before anything of this partition."""
        if self._source is None:
            raise Unavailable(
                f"{partition} begins at {begin}, behind what is needed: set LEADLOG_KAFKA_LOG, and"
                " what is gone is read from the log"
            )
        logger.warning("%s begins at %d: reading what is before in the log", partition, begin)
        self._cut[partition] = begin

    def _fill(self) -> None:
        """One batch out of the log for each partition that lacks its beginning."""
        for partition, begin in list(self._cut.items()):
            assert self._source is not None
            count = len(self._consumer.partitions_for_topic(self._topic))
            number = partition.partition

            def belongs(stream: UUID, count: int = count, number: int = number) -> bool:
                return partition_of(stream, count) == number

            if feed_store.fill(self._conn, self._source, number, belongs, begin, BATCH):
                self._forget([partition])

    def _take(self, partition: Any, start: int, messages: Sequence[Any]) -> None:
        first = messages[0].offset
        if first != start and not self._is_hole(partition, start, first):
            return  # and go to its place again
        batch = self._batch(partition, start, messages)
        if feed_store.take(self._conn, self._source, batch) == batch.upto:
            self._places[partition] = batch.upto
        else:
            self._waiting[partition] = time.monotonic() + WAIT_SECONDS
            self._seek(partition, batch.end)

    def _is_hole(self, partition: Any, start: int, first: int) -> bool:
        """Whether there never was a message between, as opposed to messages that are gone."""
        begins = self._consumer.beginning_offsets([partition], timeout_ms=ASK_MS)
        return bool(begins[partition] <= start < first)

    def _batch(self, partition: Any, start: int, messages: Sequence[Any]) -> Batch:
        events, refused = read(messages)
        for offset, why in refused:
            logger.error(
                "%s, offset %d is no event of a log, passed over: %s", partition, offset, why
            )
        upto = messages[-1].offset + 1
        return Batch(
            partition=partition.partition,
            start=start,
            upto=upto,
            end=max(upto, self._consumer.highwater(partition) or 0),
            events=events,
            refused=len(refused),
        )

    def _look_up(self) -> None:
        """Once a second: say how far the database is, and notice where it was put back."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        fed.mark(self._conn)
        stored = feed_store.places(self._conn)
        self._forget([p for p, at in list(self._places.items()) if stored[p.partition] != at])

    def _forget(self, partitions: Iterable[Any]) -> None:
        for partition in partitions:
            for known in (self._places, self._cut, self._waiting):
                known.pop(partition, None)
