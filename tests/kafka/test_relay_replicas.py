"""With three brokers one may be lost: the relay goes on, and nothing acknowledged is gone."""

from random import Random

from adapters.kafka.local import LocalKafka
from tests.kafka.relaying import (
    appends,
    await_copied,
    faults,
    position,
    relay_thread,
    settings_for,
    until,
)
from tests.size import size


def test_one_of_three_brokers_is_lost(
    dsn: str, three_brokers: LocalKafka, prefix: str, rng: Random
) -> None:
    settings = settings_for(three_brokers.bootstrap, prefix, kafka_replicas=3)
    with relay_thread(dsn, settings):
        with appends(dsn, rng):
            until(lambda: position(dsn) > 0)
            for _ in range(size(1, 10)):
                lost = rng.randrange(3)
                three_brokers.kill(lost)
                before = position(dsn)
                until(lambda before=before: position(dsn) > before)
                three_brokers.start(lost)
        await_copied(dsn)
    assert faults(dsn, three_brokers, prefix) == []
