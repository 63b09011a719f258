"""The brokers that tests and the demo run on are real, come back after a kill and go with us."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer

from adapters.kafka.local import LocalKafka
from adapters.kafka.software import Software
from tests.kafka.topics import create_topic

ORPHAN = """
import sys
from pathlib import Path
from adapters.kafka.local import LocalKafka
with LocalKafka(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_what_was_acknowledged_outlives_a_kill(kafka: LocalKafka, prefix: str) -> None:
    create_topic(kafka, prefix)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    assert producer.send(prefix, b"kept").get(30).offset == 0
    producer.close()
    kafka.kill()
    kafka.start(0)
    consumer = KafkaConsumer(
        prefix, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", group_id=None
    )
    try:
        assert next(consumer).value == b"kept"
    finally:
        consumer.close(timeout_ms=1000)


def test_brokers_end_with_a_killed_parent(kafka_software: Software, open_tmp: Path) -> None:
    root = open_tmp / "kafka"
    with subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        started = psutil.Process(parent.pid).children()
        parent.kill()
    _, alive = psutil.wait_procs(started, timeout=10)
    assert alive == []


@pytest.mark.parametrize("name", ["server.log", "data"])
def test_a_brokers_files_lie_in_its_directory(kafka: LocalKafka, name: str) -> None:
    assert (kafka.data().parent / name).exists()
