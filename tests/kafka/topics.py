"""Topics of a test, made and read to their end."""

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from adapters.kafka.local import LocalKafka


def create_topic(kafka: LocalKafka, name: str, partitions: int = 4) -> None:
    """Make the topic; it can be written to when this returns."""
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    try:
        admin.create_topics({name: {"num_partitions": partitions}}, wait_for_metadata=True)
    finally:
        admin.close()


def messages(kafka: LocalKafka, topic: str) -> list[ConsumerRecord]:
    """All that the topic holds now, partition by partition."""
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=None)
    try:
        found: list[ConsumerRecord] = []
        for number in sorted(consumer.partitions_for_topic(topic) or ()):
            partition = TopicPartition(topic, number)
            consumer.assign([partition])
            consumer.seek_to_beginning(partition)
            end = consumer.end_offsets([partition])[partition]
            while consumer.position(partition) < end:
                for batch in consumer.poll(1000).values():
                    found += batch
        return found
    finally:
        consumer.close(timeout_ms=1000)
