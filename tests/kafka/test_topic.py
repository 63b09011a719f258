"""The topic is made as the settings say, and one that is not this log's is left alone."""

from collections.abc import Iterator
from random import Random

import psycopg
import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import InvalidTopicError

from adapters.kafka.local import LocalKafka
from adapters.kafka.topic import UnfitTopicError, ensure_topic
from tests.conformance.histories import append, history, interleaved
from tests.kafka.relaying import (
    PARTITIONS,
    await_copied,
    faults,
    relay_thread,
    settings_for,
    until,
)
from tests.kafka.topics import create_topic, messages
from tests.seed import SEED

RENAME = "UPDATE log.company SET value = 'leadlog.another' WHERE name = 'origin'"


@pytest.fixture
def admin(kafka: LocalKafka) -> Iterator[KafkaAdminClient]:
    client = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    yield client
    client.close()


def test_it_is_made_as_the_settings_say(
    kafka: LocalKafka, prefix: str, admin: KafkaAdminClient
) -> None:
    settings = settings_for(kafka.bootstrap, prefix, kafka_retention_days=30)
    made = ensure_topic(settings)
    assert ensure_topic(settings) == made
    (topic,) = admin.describe_topics([settings.kafka_topic])
    assert len(topic["partitions"]) == PARTITIONS
    found = admin.describe_configs([ConfigResource("topic", settings.kafka_topic)])
    configs = found["topic"][settings.kafka_topic]
    assert configs["retention.ms"]["value"] == str(30 * 86_400_000)
    assert configs["max.message.bytes"]["value"] == str(settings.kafka_max_message_bytes)


def test_another_number_of_partitions_is_refused(kafka: LocalKafka, prefix: str) -> None:
    create_topic(kafka, f"{prefix}.events", PARTITIONS + 1)
    with pytest.raises(UnfitTopicError, match=f"has {PARTITIONS + 1} partitions: set LEADLOG_"):
        ensure_topic(settings_for(kafka.bootstrap, prefix))


def test_a_topic_that_cannot_be_looked_at_is_not_called_unfit(kafka: LocalKafka) -> None:
    named = settings_for(kafka.bootstrap, "any").model_copy(update={"kafka_prefix": "no topic"})
    with pytest.raises(InvalidTopicError, match=r"no topic\.events cannot be looked at"):
        ensure_topic(named)


def test_a_topic_that_was_deleted_is_filled_anew(
    dsn: str, kafka: LocalKafka, prefix: str, admin: KafkaAdminClient
) -> None:
    settings = settings_for(kafka.bootstrap, prefix)
    _grow(dsn)
    with relay_thread(dsn, settings):
        await_copied(dsn)
    before = _copied_to(dsn)
    admin.delete_topics([settings.kafka_topic])
    until(lambda: settings.kafka_topic not in admin.list_topics())
    with relay_thread(dsn, settings):
        until(lambda: _copied_to(dsn) != before)
        await_copied(dsn)
    assert faults(dsn, kafka, prefix) == []


@pytest.mark.parametrize("becomes", ["another", "older", "different"])
def test_a_topic_of_another_log_is_left_alone(
    dsn: str,
    second_dsn: str,
    kafka: LocalKafka,
    prefix: str,
    becomes: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = settings_for(kafka.bootstrap, prefix)
    _grow(dsn)
    with relay_thread(dsn, settings):
        await_copied(dsn)
    before = len(messages(kafka, settings.kafka_topic))
    if becomes == "another":
        with psycopg.connect(second_dsn) as conn:
            conn.execute(RENAME)
    if becomes != "older":  # than what was copied: as restored from a backup
        _grow(second_dsn, SEED if becomes == "another" else SEED + 1)
    with relay_thread(second_dsn, settings):
        until(lambda: "of another log, or of this one before it was restored" in caplog.text)
    assert len(messages(kafka, settings.kafka_topic)) == before


def _copied_to(dsn: str) -> object:
    with psycopg.connect(dsn) as conn:
        return conn.execute("SELECT topic FROM relay.checkpoint").fetchone()


def _grow(dsn: str, seed: int = SEED) -> None:
    print(f"SEED={seed}")
    rng = Random(seed)
    append(dsn, interleaved(rng, history(rng, leads=20)))
