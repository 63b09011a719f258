"""Workers that feed databases from a topic, and whether these are then what the log's own is."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from adapters.kafka.local import LocalKafka
from adapters.postgres.fed import PARTITIONED
from tests.kafka.publishing import Topic

PATIENCE = 60.0
SESSION = 6.0
"""Seconds: the shortest session that a broker allows by default."""
READ = "SELECT coalesce(sum(next_offset), 0)::bigint FROM projection.partitions"
LIVE = "SELECT generation FROM projection.builds WHERE name = %s AND state = 'live'"


class Worker:
    """`leadlog worker --from-kafka`; what it logs goes to `said`."""

    def __init__(
        self, kafka: LocalKafka, topic: Topic, dsn: str, said: Path, **env: object
    ) -> None:
        self._said = said
        settings = {
            "LEADLOG_KAFKA": kafka.bootstrap,
            "LEADLOG_KAFKA_PREFIX": topic.prefix,
            "LEADLOG_KAFKA_SESSION_SECONDS": SESSION,
            "LEADLOG_ALLOW_UNSAFE_POSTGRES": "true",
        } | env
        command = [sys.executable, "-m", "adapters.cli", "worker", "--from-kafka"]
        with said.open("ab") as file:
            self._process = subprocess.Popen(
                [*command, "--database", dsn],
                env=os.environ | {name: str(value) for name, value in settings.items()},
                stderr=file,
            )

    @property
    def said(self) -> str:
        return self._said.read_text()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> float:
        """How many seconds it takes to end in order."""
        started = time.monotonic()
        self._process.terminate()
        assert self._process.wait(PATIENCE) == 0, self.said
        return time.monotonic() - started


@contextmanager
def workers(kafka: LocalKafka, topic: Topic, directory: Path) -> Iterator[Callable[..., Worker]]:
    """Starts workers on databases, with settings, and kills those that are left."""
    started: list[Worker] = []

    def start(dsn: str, **env: object) -> Worker:
        said = directory / f"worker-{len(started)}.log"
        started.append(Worker(kafka, topic, dsn, said, **env))
        return started[-1]

    try:
        yield start
    finally:
        for worker in started:
            worker.kill()
            print(worker.said)  # shown when the test fails


def has_read(topic: Topic, *dsns: str) -> None:
    """Wait until the databases together are at the topic's end."""
    until(lambda: sum(read_so_far(dsn) for dsn in dsns) == topic.count)


def read_so_far(dsn: str) -> int:
    """How many messages a database is past; 0 for one that is not made yet."""
    with psycopg.connect(dsn) as conn:
        try:
            row = conn.execute(READ).fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return 0
    assert row
    return int(row[0])


def until(reached: Callable[[], bool], patience: float = PATIENCE) -> None:
    end = time.monotonic() + patience
    while not reached():
        assert time.monotonic() < end, "this takes too long"
        time.sleep(0.05)


def differences(log: str, *dsns: str, names: Iterable[str] = PARTITIONED) -> dict[str, str]:
    """Where the databases together have other rows than the log's own, by table."""
    found = {}
    for name in names:
        for table in PARTITIONED[name].tables:
            wanted = _rows(log, name, table.name)
            there = sum((_rows(dsn, name, table.name) for dsn in dsns), Counter())
            if there != wanted:
                found[table.name] = f"missing {wanted - there}, too many {there - wanted}"
    return found


def _rows(dsn: str, name: str, table: str) -> Counter[str]:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(LIVE, (name,)).fetchone()
        assert row, f"{dsn} has no {name}"
        place = sql.Identifier(f"p_{name}_{row[0]}", table)
        return Counter(
            r for (r,) in conn.execute(sql.SQL("SELECT t::text FROM {} t").format(place))
        )
