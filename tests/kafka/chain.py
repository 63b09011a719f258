"""The whole chain as processes: the API, a worker that copies the log to a topic, two workers that
feed a second database from there. Each can be killed and started again at any time.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import psycopg

from adapters.kafka.local import LocalKafka
from tests.crash.waiting import until_ready
from tests.forked import Forked, leadlog
from tests.integration.erasing import numbers
from tests.integration.searching import dumped, rows
from tests.kafka.feeding import SESSION
from tests.kafka.relaying import PARTITIONS

STOP_SECONDS = 60
CONSUMERS = 2
COPIED = (
    "SELECT max(notification_id) = ALL (SELECT position FROM relay.checkpoint UNION ALL"
    " SELECT position FROM projection.builds WHERE state = 'live') FROM log.leadlog_events"
)
# A relay that stands before its checkpoint.
WAITING = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND wait_event_type = 'Lock' AND query LIKE 'UPDATE relay.checkpoint SET position%'"
)


class Link:
    """`leadlog` with these arguments; what each start of it says goes to files of its own."""

    def __init__(self, name: str, logs: Path, environment: Mapping[str, str], *call: str) -> None:
        self._said = logs / name
        self._environment = environment
        self._call = call
        self._starts = 0
        self.start()

    def start(self) -> None:
        """It may not be ready yet."""
        self._starts += 1
        out, err = (self._said.with_suffix(f".{self._starts}.{end}") for end in ("out", "err"))
        self._running: Forked = leadlog(
            *self._call, environment=self._environment, out=out, err=err
        )

    def kill(self) -> None:
        """SIGKILL."""
        self._running.kill()
        self._running.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._running.terminate()
        return self._running.wait(STOP_SECONDS)


class Chain:
    """While its block runs, what is commanded at `url` arrives in the database `fed`."""

    def __init__(
        self, kafka: LocalKafka, prefix: str, dsn: str, fed: str, directory: Path, port: int
    ) -> None:
        self.kafka, self.topic, self.dsn, self.fed = kafka, f"{prefix}.events", dsn, fed
        self.url = f"http://127.0.0.1:{port}"
        self.http = httpx.Client(base_url=self.url, timeout=15)
        """The administrator's, once the API has been ready."""
        self._directory = directory
        self._environment = os.environ | {
            "LEADLOG_DATA_DIR": str(directory),
            "LEADLOG_ALLOW_UNSAFE_POSTGRES": "1",
            "LEADLOG_LOG_LEVEL": "debug",
            "LEADLOG_KAFKA": kafka.bootstrap,
            "LEADLOG_KAFKA_PREFIX": prefix,
            "LEADLOG_KAFKA_PARTITIONS": str(PARTITIONS),
            "LEADLOG_KAFKA_SESSION_SECONDS": str(SESSION),
            "LEADLOG_KAFKA_LOG": dsn,
        }
        serve = ("serve", "--no-worker", "--port", str(port), "--database", dsn)
        feed = ("worker", "--from-kafka", "--database", fed)
        self.api = self._link("api", *serve)
        self.worker = self._link("worker", "worker", "--database", dsn)
        self.consumers = [self._link(f"consumer-{n}", *feed) for n in range(CONSUMERS)]

    def _link(self, name: str, *call: str) -> Link:
        return Link(name, self._directory, self._environment, *call)

    @property
    def links(self) -> list[Link]:
        """All processes of ours."""
        return [self.api, self.worker, *self.consumers]

    def begin(self) -> None:
        """Wait for the API and its administrator."""
        until_ready(self.url)
        self.token = (self._directory / "admin-token").read_text().strip()
        self.http.headers["Authorization"] = f"Bearer {self.token}"

    @property
    def logs(self) -> str:
        """What all processes of ours have said."""
        return "\n".join(path.read_text() for path in sorted(self._directory.glob("*.*.*")))

    def is_copied(self) -> bool:
        """Whether the topic and the log's own read models are at the log's end."""
        with psycopg.connect(self.dsn) as conn:
            return conn.execute(COPIED).fetchone() == (True,)

    def is_before_checkpoint(self) -> bool:
        """Whether the relay waits for the lock that its checkpoint takes."""
        with psycopg.connect(self.dsn) as conn:
            return conn.execute(WAITING).fetchone() is not None

    def lose_checkpoint(self) -> None:
        """The server would write what a relay that is gone has asked for."""
        with psycopg.connect(self.dsn) as conn:
            conn.execute(f"SELECT pg_terminate_backend(pid, 5000) FROM ({WAITING}) w")

    def on_disk(self) -> str:
        """What the broker has written of the topic."""
        segments = self.kafka.data().glob(f"{self.topic}-*/*.log")
        return "".join(path.read_bytes().decode(errors="replace") for path in segments)

    def readable(self) -> dict[str, set[int]]:
        """Leads of which something personal can be read behind the log, by where."""
        broker = (self.kafka.data().parent / "server.log").read_text()
        texts = {"topic": self.on_disk(), "broker": broker, "logs": self.logs}
        found = {place: numbers(text) for place, text in texts.items()}
        for table, row in (*rows(self.fed), ("pg_dump", dumped(self.fed))):
            found.setdefault(table, set()).update(numbers(row))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.http.close()
        for link in self.links:
            link.kill()
        print(self.logs[-20_000:])  # shown when the test fails
