"""The topic is a copy of the log: all of it, byte for byte, in order, with nothing in clear."""

from random import Random
from uuid import uuid4

import psycopg
import pytest

from adapters.kafka.local import LocalKafka
from tests.conformance.forgetting import Canary
from tests.conformance.histories import append, append_bytes
from tests.kafka.relaying import (
    await_copied,
    faults,
    position,
    relay_thread,
    settings_for,
    some,
    until,
)
from tests.kafka.topics import messages
from tests.size import size

LATER, CONTROL = Canary(1), Canary(2)


def test_every_event_arrives_as_it_is_stored(
    dsn: str, kafka: LocalKafka, prefix: str, rng: Random
) -> None:
    append(dsn, some(rng, size(200, 5_000)))
    with relay_thread(dsn, settings_for(kafka.bootstrap, prefix)):
        await_copied(dsn)
        append(dsn, some(rng), per_commit=1)
        await_copied(dsn)
    assert faults(dsn, kafka, prefix) == []
    append(dsn, some(rng))
    with relay_thread(dsn, settings_for(kafka.bootstrap, prefix, kafka_unacknowledged=7)):
        await_copied(dsn)
    assert faults(dsn, kafka, prefix) == []
    with psycopg.connect(dsn) as conn:
        assert conn.execute("SELECT count(*) FROM log.leadlog_events").fetchone() == (
            len(messages(kafka, f"{prefix}.events")),
        )


def test_nothing_personal_is_in_clear_on_the_brokers_disk(
    dsn: str, kafka: LocalKafka, prefix: str, rng: Random
) -> None:
    entries = [LATER.put_in(entry) for entry in some(rng)]
    append(dsn, entries)
    append_bytes(dsn, uuid4(), 1, "lead.reopened", f'{{"reason":"{CONTROL.word}"}}'.encode())
    with relay_thread(dsn, settings_for(kafka.bootstrap, prefix)):
        await_copied(dsn)
    on_disk = "".join(
        path.read_bytes().decode(errors="replace")
        for path in kafka.data().glob(f"{prefix}.events-*/*.log")
    )
    assert all(str(entry.stream) in on_disk for entry in entries)
    assert not any(seen in on_disk for seen in LATER.seen)
    assert CONTROL.word in on_disk


def test_an_event_that_is_too_large_is_said_and_waited_for(
    dsn: str, kafka: LocalKafka, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    large = f'{{"reason":"{"x" * 2**20}"}}'.encode()
    append_bytes(dsn, uuid4(), 1, "lead.reopened", large)
    with relay_thread(dsn, settings_for(kafka.bootstrap, prefix, kafka_max_message_bytes=2**20)):
        until(lambda: "LEADLOG_KAFKA_MAX_MESSAGE_BYTES" in caplog.text)
    assert position(dsn) == 0
