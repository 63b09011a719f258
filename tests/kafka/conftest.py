"""A real Apache Kafka for the tests that need one: started once per run, a prefix per test."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

import pytest

from adapters.kafka.local import LocalKafka, ready
from adapters.kafka.software import Software
from adapters.settings import StartupError
from tests.seed import SEED

REQUIRED = ("CI", "LEADLOG_REQUIRE_KAFKA")
"""Where one of these is set, a Kafka that cannot be had is a failure."""
_numbers = count(1)


@pytest.fixture(scope="session")
def kafka_software() -> Software:
    try:
        return ready()
    except StartupError as error:
        if any(os.environ.get(name) for name in REQUIRED):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def kafka(kafka_software: Software, run_dir: Path) -> Iterator[LocalKafka]:
    """The run's broker, its files in memory. Whoever kills it starts it again."""
    with LocalKafka(run_dir / "kafka", software=kafka_software) as running:
        yield running


@pytest.fixture
def three_brokers(kafka_software: Software, open_tmp: Path) -> Iterator[LocalKafka]:
    """A cluster of the test's own: three replicas of everything, two of which must have it."""
    with LocalKafka(open_tmp / "kafka", 3, software=kafka_software) as running:
        yield running


@pytest.fixture
def prefix() -> str:
    """What the names of the test's topics begin with, and nobody else's."""
    return f"test-{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def rng() -> Random:
    print(f"SEED={SEED}")
    return Random(SEED)
