"""Apache Kafka brokers on this machine, for tests, the demo and measurements: never for data that
is to last.

The brokers run in KRaft mode, each broker and controller at once, without passwords, on 127.0.0.1.
They end with the process that started them, however that ends.
"""

import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from adapters.kafka.program import Program
from adapters.kafka.software import Software, fetched, keep_classes
from adapters.settings import StartupError

PATIENCE = 120.0
"""Seconds until a broker answers; it takes about four on an idle machine."""
LOOK_SECONDS = 0.05
CLUSTER_ID = "bGVhZGxvZy1sb2NhbC0wMQ"
HEAP = "256m"
JVM = (
    f"-Xmx{HEAP}",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xlog:disable",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
)

SETTINGS = """
node.id={node}
process.roles=broker,controller
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{votes}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxy}
log.dirs={data}
auto.create.topics.enable=false
unclean.leader.election.enable=false
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=2097152
"""
# A restarted broker would otherwise wait until the session of the killed one ends: 16 to 27 s.


class LocalKafka:
    """Brokers whose files lie in a directory, numbered from 0; they run while the block does."""

    def __init__(self, root: Path, brokers: int = 1, *, software: Software | None = None) -> None:
        self._software = software or ready()
        classes = self._software.classes
        self._archive = f"-XX:SharedArchiveFile={classes}"
        self._use = self._archive if classes.exists() else f"-XX:ArchiveClassesAtExit={classes}"
        self._root = root
        ports = _free_ports(4 * brokers)
        self.ports: Sequence[int] = ports[:brokers]
        self.proxies: Sequence[tuple[int, int]] = list(
            zip(ports[brokers : 2 * brokers], ports[2 * brokers : 3 * brokers], strict=True)
        )
        """For each broker where a proxy may listen, and the port it goes on to: the broker sends
        clients that come that way to the proxy."""
        self._voters = ports[3 * brokers :]
        self._running: dict[int, Program] = {}
        for node in range(brokers):
            self._configure(node)

    @property
    def bootstrap(self) -> str:
        """The addresses of all brokers, as clients want them."""
        return ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def data(self, node: int = 0) -> Path:
        """Where a broker keeps what it was sent."""
        return self._root / f"broker-{node}" / "data"

    def __enter__(self) -> Self:
        try:
            self.start(*range(len(self.ports)))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, *nodes: int) -> None:
        """Start these brokers, which do not run; they answer when this returns."""
        for node in nodes:
            self._launch(node)
        for node in nodes:
            self._await(node)

    def kill(self, node: int = 0) -> None:
        """SIGKILL to a broker."""
        self._running.pop(node).end(signal.SIGKILL)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End them all: at once, as nobody needs what they hold."""
        while self._running:
            self._running.popitem()[1].end(how)

    def _configure(self, node: int) -> None:
        several = len(self.ports) > 2
        proxy, behind = self.proxies[node]
        place = self._root / f"broker-{node}"
        place.mkdir(parents=True)
        settings = SETTINGS.format(
            node=node,
            voters=",".join(f"{n}@127.0.0.1:{port}" for n, port in enumerate(self._voters)),
            port=self.ports[node],
            proxy=proxy,
            behind=behind,
            votes=self._voters[node],
            data=self.data(node),
            replicas=3 if several else 1,
            in_sync=2 if several else 1,
        )
        (place / "server.properties").write_text(settings)

    def _launch(self, node: int) -> None:
        place = self._root / f"broker-{node}"
        settings = str(place / "server.properties")
        with (place / "server.log").open("ab") as log:
            if not self.data(node).exists():
                tool = (self._archive, "kafka.tools.StorageTool", "format")
                subprocess.run(
                    self._java(*tool, "-t", CLUSTER_ID, "-c", settings),
                    stdout=log,
                    stderr=log,
                    cwd=place,
                    check=True,
                )
            self._running[node] = Program(
                self._java(self._use, "kafka.Kafka", settings), log, place
            )

    def _java(self, *arguments: str) -> list[str]:
        software = self._software
        return [str(software.java), *JVM, "-cp", f"{software.jars}/*", *arguments]

    def _await(self, node: int) -> None:
        end = time.monotonic() + PATIENCE
        while not self._takes_part(node):
            if not self._running[node].lives() or time.monotonic() > end:
                log = self._root / f"broker-{node}" / "server.log"
                raise StartupError(f"Kafka does not start, see {log}")
            time.sleep(LOOK_SECONDS)

    def _takes_part(self, node: int) -> bool:
        """Whether the broker answers and is one of its cluster."""
        if not _listens(self.ports[node]):
            return False
        with suppress(KafkaError):
            client = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{self.ports[node]}")
            try:
                known = client.describe_cluster()["brokers"]
            finally:
                client.close()
            return any(b["broker_id"] == node and not b["is_fenced"] for b in known)
        return False


def ready() -> Software:
    """The software with the archive of a broker's classes, which the first use of it makes."""
    software = fetched()
    keep_classes(software, lambda file: _record_classes(replace(software, classes=file)))
    return software


def _record_classes(software: Software) -> None:
    """What a broker loads, which Java writes to the archive when the broker ends in order."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        LocalKafka(Path(scratch) / "kafka", software=software) as kafka,
    ):
        kafka.stop(signal.SIGTERM)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def _free_ports(number: int) -> list[int]:
    """Ports that nobody uses now."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(number)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]
