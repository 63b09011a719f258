"""The topic of the log's events: made when it is missing, looked at before anything is sent to it.

Events of a stream keep their order only while a key always goes to the same partition, and a topic
holds one log. What does not fit is refused here, before it does harm.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

import msgspec
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import (
    KafkaTimeoutError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from adapters.kafka.connection import options
from adapters.kafka.message import CloudEvent
from adapters.settings import Settings

DAY_MS = 86_400_000
FOR_EVER = -1
READ_SECONDS = 30.0
POLL_MS = 500

_decode = msgspec.json.Decoder(CloudEvent).decode


class UnfitTopicError(Exception):
    """The topic is not one for this log. The message is one line and says what to do."""


def ensure_topic(settings: Settings) -> UUID:
    """The id of the topic, which is there when this returns. Raises UnfitTopicError, KafkaError."""
    name = settings.kafka_topic
    with _administrator(settings) as admin:
        found = _described(admin, name)
        if found is None:
            _create(admin, settings)
            found = _described(admin, name)
    if found is None:
        raise KafkaTimeoutError(f"{name} was made, and is not there")
    partitions = len(found["partitions"])
    if partitions != settings.kafka_partitions:
        raise UnfitTopicError(
            f"the topic {name} has {partitions} partitions: set LEADLOG_KAFKA_PARTITIONS to that,"
            " or choose another LEADLOG_KAFKA_PREFIX"
        )
    return UUID(str(found["topic_id"]))


def last_events(settings: Settings) -> list[CloudEvent]:
    """The last message of each partition that has one. Raises UnfitTopicError, KafkaError."""
    consumer = KafkaConsumer(**options(settings), group_id=None, enable_auto_commit=False)
    try:
        values = _last_values(consumer, settings.kafka_topic)
    finally:
        consumer.close(timeout_ms=POLL_MS)
    try:
        return [_decode(value) for value in values]
    except msgspec.MsgspecError:
        raise UnfitTopicError(
            f"the topic {settings.kafka_topic} holds what is no event of leadlog:"
            " choose another LEADLOG_KAFKA_PREFIX"
        ) from None


def _last_values(consumer: KafkaConsumer, name: str) -> list[bytes]:
    parts = [TopicPartition(name, n) for n in consumer.partitions_for_topic(name) or ()]
    begins, ends = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
    missing = {part for part in parts if ends[part] > begins[part]}
    consumer.assign(list(missing))
    for part in missing:
        consumer.seek(part, ends[part] - 1)
    values: list[bytes] = []
    give_up = time.monotonic() + READ_SECONDS
    while missing:
        if time.monotonic() > give_up:
            raise KafkaTimeoutError(f"the end of {name} cannot be read")
        for part, records in consumer.poll(POLL_MS).items():
            if part in missing:
                values.append(records[-1].value or b"")
                missing.remove(part)
    return values


def _described(admin: KafkaAdminClient, name: str) -> dict[str, Any] | None:
    (found,) = admin.describe_topics([name])
    if found["error_code"] == UnknownTopicOrPartitionError.errno:
        return None
    if found["error_code"]:  # such as a missing right
        raise for_code(found["error_code"])(f"{name} cannot be looked at")
    return cast("dict[str, Any]", found)


def _create(admin: KafkaAdminClient, settings: Settings) -> None:
    days = settings.kafka_retention_days
    topic = {
        "num_partitions": settings.kafka_partitions,
        "replication_factor": settings.kafka_replicas or -1,
        "configs": {
            "cleanup.policy": "delete",
            "retention.ms": str(FOR_EVER if days is None else round(days * DAY_MS)),
            "retention.bytes": str(FOR_EVER),
            "max.message.bytes": str(settings.kafka_max_message_bytes),
        },
    }
    try:
        admin.create_topics({settings.kafka_topic: topic}, wait_for_metadata=True)
    except TopicAlreadyExistsError:  # by another worker at the same moment
        admin.wait_for_topics([settings.kafka_topic])


@contextmanager
def _administrator(settings: Settings) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(**options(settings))
    try:
        yield admin
    finally:
        admin.close()
