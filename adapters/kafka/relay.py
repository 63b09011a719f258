"""The duty `relay` of a worker: copies the log to a topic of Kafka, in its order and without a gap.

One worker at a time holds the lease. The checkpoint moves when the brokers have acknowledged all up
to a position, over the connection that the lease lives and dies with, so whoever lost the lease
moves it no more. After a crash what was sent behind it is sent again: consumers drop what they have
by the version of its stream.
"""

import logging
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import psycopg
from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from adapters.kafka.message import HEADERS, key_of, value_of
from adapters.kafka.partitions import partition_of
from adapters.kafka.producing import producer
from adapters.kafka.topic import UnfitTopicError, ensure_topic, last_events
from adapters.measures import FAILURES
from adapters.postgres import leases
from adapters.postgres.leases import Pauses
from adapters.postgres.relay_store import RelayStore
from adapters.postgres.tables import Connection, connect
from adapters.settings import Settings

# Said to the library, which would find it anew each time, and among partitions added meanwhile.
_place = lru_cache(50_000)(partition_of)

logger = logging.getLogger("leadlog.relay")

NAME = "process:relay"
BATCH = 1_000
SETTLE_SECONDS = 0.05
DRAIN_SECONDS = 5.0
UNFIT_SECONDS = 30.0
"""A topic that does not fit is looked at again so often."""


TOO_LARGE = (
    "the log is not copied to Kafka: the next event is larger than"
    " LEADLOG_KAFKA_MAX_MESSAGE_BYTES: raise it"
)


class NotAcknowledgedError(KafkaError):  # type: ignore[misc]
    """The brokers have not acknowledged an event for too long."""


def run_forever(dsn: str, settings: Settings, stop: threading.Event) -> None:
    """Copy until `stop` is set. LEADLOG_KAFKA must be set."""
    pauses = Pauses()
    while not stop.is_set():
        pauses.begin()
        try:
            with connect(dsn, autocommit=True) as conn:
                if leases.wait_for(conn, leases.PROCESS, NAME, stop):
                    _spell(conn, settings, stop)
        except MessageSizeTooLargeError:
            logger.error(TOO_LARGE)  # noqa: TRY400 - one line
            stop.wait(UNFIT_SECONDS)
        except (psycopg.Error, KafkaError) as error:
            FAILURES.add("relay")
            pause = pauses.next()
            logger.warning("the log is not copied to Kafka, again in %.1f s: %s", pause, error)
            stop.wait(pause)
        except UnfitTopicError as error:
            logger.error("the log is not copied to Kafka: %s", error)  # noqa: TRY400 - one line
            stop.wait(UNFIT_SECONDS)


def _spell(conn: Connection, settings: Settings, stop: threading.Event) -> None:
    """Copy as long as the connections hold."""
    store = RelayStore(conn, ensure_topic(settings))
    for event in last_events(settings):
        if not store.holds(event):
            raise UnfitTopicError(
                f"the topic {settings.kafka_topic} holds event {event.position} of another log, or"
                " of this one before it was restored from a backup: choose another"
                " LEADLOG_KAFKA_PREFIX"
            )
    with producer(settings) as sender:
        _Relay(store, sender, settings).run(stop)


@dataclass(slots=True)
class _Batch:
    """Events that are under way: the last one's position, since when, what is not acknowledged."""

    upto: int
    sent_at: float
    waiting: list[Any]

    def is_acknowledged(self) -> bool:
        """Whether all of it is. Raises KafkaError for what cannot be."""
        while self.waiting and self.waiting[-1].is_done:
            if failure := self.waiting.pop().exception:
                raise failure
        return not self.waiting

    def wait(self, seconds: float) -> None:
        """Until more of it is acknowledged."""
        with suppress(KafkaTimeoutError):
            self.waiting[-1].get(seconds)


class _Relay:
    """One spell of copying: sends ahead of the checkpoint, as far as the settings allow."""

    def __init__(self, store: RelayStore, sender: KafkaProducer, settings: Settings) -> None:
        self._store, self._sender, self._settings = store, sender, settings
        self._sent = store.position
        self._under_way: deque[_Batch] = deque()

    def run(self, stop: threading.Event) -> None:
        """Copy until `stop` is set, then give what is under way a little time."""
        while not stop.is_set():
            if self._send():
                self._settle(0)
            elif self._under_way:
                self._settle(SETTLE_SECONDS)
            else:
                self._store.listen()
        end = time.monotonic() + DRAIN_SECONDS
        while self._under_way and time.monotonic() < end:
            self._settle(SETTLE_SECONDS)

    def _send(self) -> bool:
        """Send the next events; False when there are none, or too many under way."""
        room = self._settings.kafka_unacknowledged - (self._sent - self._store.position)
        rows = self._store.after(self._sent, min(BATCH, room)) if room > 0 else []
        if not rows:
            return False
        topic, count = self._settings.kafka_topic, self._settings.kafka_partitions
        send, source = self._sender.send, self._store.source
        waiting = [
            send(topic, value_of(row, source, code), key_of(row), HEADERS, _place(row[1], count))
            for row, code in zip(rows, self._store.codes(rows), strict=True)
        ]
        self._sent = rows[-1][0]
        self._under_way.append(_Batch(self._sent, time.monotonic(), waiting))
        return True

    def _settle(self, seconds: float) -> None:
        """Move the checkpoint behind what is acknowledged without a gap; wait so long for more."""
        oldest = self._under_way[0]
        if seconds:
            oldest.wait(seconds)
        acknowledged = None
        while self._under_way and self._under_way[0].is_acknowledged():
            acknowledged = self._under_way.popleft().upto
        if acknowledged:
            self._store.move(acknowledged)
        elif time.monotonic() - oldest.sent_at > self._settings.kafka_watchdog_seconds:
            raise NotAcknowledgedError(f"position {oldest.upto} waits for its acknowledgement")
