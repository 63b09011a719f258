"""The producer that copies the log, and how to be rid of one that is stuck."""

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import KafkaProducer

from adapters.kafka.connection import options
from adapters.settings import Settings

DAY_MS = 86_400_000
LINGER_MS = 5
BATCH_BYTES = 2**18
CLOSE_SECONDS = 10.0


@contextmanager
def producer(settings: Settings) -> Iterator[KafkaProducer]:
    """An idempotent producer: what it repeats stands once in the topic. Raises KafkaError.

    What is not acknowledged at the end is given up at once. The library's own `close` waits for it,
    without end on brokers that are gone.
    """
    # A batch that expires after it was sent once leaves an idempotent producer stuck for good: no
    # batch does. When the brokers were silent for too long is for the relay to say.
    made = KafkaProducer(
        **options(settings),
        acks="all",
        enable_idempotence=True,
        allow_auto_create_topics=False,
        delivery_timeout_ms=DAY_MS,
        max_block_ms=int(settings.kafka_watchdog_seconds * 1000),
        max_request_size=settings.kafka_max_message_bytes,
        linger_ms=LINGER_MS,
        batch_size=BATCH_BYTES,
        metrics_enabled=False,
    )
    try:
        yield made
    finally:
        made._sender.force_close()
        made.close(CLOSE_SECONDS)
