"""What a process has counted, and how the database is, in the text format of Prometheus."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from adapters.measures import DISTRIBUTIONS, TALLIES, Distribution
from adapters.settings import StartupError

Signs = Mapping[str, Any]

OF_EACH: Mapping[str, tuple[str, str, str]] = {
    "leadlog_projection_lag_events": ("projections", "events", "Events a read model lacks."),
    "leadlog_projection_lag_seconds": (
        "projections", "seconds", "Age of the oldest event that a read model lacks.",
    ),
    "leadlog_parked_events": ("projections", "parked", "Events that could not be folded, 10,000+."),
}  # fmt: skip
OF_ALL: Mapping[str, tuple[str, str]] = {
    "leadlog_log_position": ("position", "The last position of the log: how many events."),
    "leadlog_log_bytes": ("bytes", "What the events take on disk, with indexes."),
    "leadlog_timer_overdue_seconds": ("timer_overdue", "How late the oldest due timer is."),
    "leadlog_outbox_waiting": ("outbox_waiting", "Messages that are tried again, 10,000+."),
    "leadlog_outbox_oldest_seconds": ("outbox_oldest", "Age of the oldest of them."),
    "leadlog_dead_messages": ("dead", "Messages that were given up, 10,000+."),
    "leadlog_unsealed_events": ("unsealed", "Events that no checkpoint covers."),
    "leadlog_unsealed_seconds": ("unsealed_seconds", "Age of the oldest of them."),
    "leadlog_relay_lag_events": ("relay_lag", "Events that the relay has not published."),
    "leadlog_relay_lag_seconds": ("relay_seconds", "Age of the oldest of them."),
    "leadlog_webhooks_failing_seconds": ("webhooks_failing", "How long the worst takes nothing."),
    "leadlog_webhooks_disabled": ("webhooks_disabled", "Webhooks that leadlog disabled."),
    "leadlog_database_connections": ("connections", "Clients of the PostgreSQL server."),
    "leadlog_database_connections_limit": ("connections_limit", "Its max_connections."),
    "leadlog_data_disk_free_ratio": ("disk_free", "Free part of the embedded database's disk."),
}


def exposition(signs: Signs | None) -> bytes:
    """All metrics of a process that serves the API; no `signs` = the database does not answer."""
    return generate_latest(_registry(_Counted(), _Database(signs)))


@contextmanager
def served(port: int, host: str) -> Iterator[int]:
    """What this process has counted, at http://host:port/metrics. Yields the port, which 0 takes a
    free one for.
    """
    try:
        server, thread = start_http_server(port, host, _registry(_Counted()))
    except OSError as error:
        raise StartupError(
            f"cannot serve metrics on {host} port {port}: {error.strerror or error}."
            " Choose another LEADLOG_WORKER_METRICS"
        ) from error
    try:
        yield server.server_port
    finally:
        _end(server, thread)


def _end(server: Any, thread: threading.Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()


def _registry(*collectors: Collector) -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    for collector in collectors:
        registry.register(collector)
    return registry


class _Counted(Collector):
    """What `adapters.measures` has."""

    def collect(self) -> Iterable[Metric]:
        for tally in TALLIES:
            counter = CounterMetricFamily(tally.name, tally.about, labels=tally.labels)
            for values, count in tally.rows():
                counter.add_metric(values, count)
            yield counter
        for distribution in DISTRIBUTIONS:
            yield _histogram(distribution)


def _histogram(distribution: Distribution) -> Metric:
    family = HistogramMetricFamily(
        distribution.name, distribution.about, labels=distribution.labels
    )
    names = [*map(str, map(float, distribution.bounds)), "+Inf"]
    for values, counts, total in distribution.rows():
        upto, buckets = 0, []
        for name, count in zip(names, counts, strict=True):
            upto += count
            buckets.append((name, upto))
        family.add_metric(values, buckets, total)
    return family


class _Database(Collector):
    """What the database says; a number that it does not have is left out."""

    def __init__(self, signs: Signs | None) -> None:
        self._signs = signs

    def collect(self) -> Iterable[Metric]:
        up = self._signs is not None
        yield GaugeMetricFamily("leadlog_database_up", "Whether it answers.", float(up))
        if self._signs is None:
            return
        for name, (group, what, about) in OF_EACH.items():
            family = GaugeMetricFamily(name, about, labels=["projection"])
            for one, found in self._signs[group].items():
                family.add_metric([one], found[what])
            yield family
        leased = GaugeMetricFamily("leadlog_leased", "Whether a worker has it.", labels=["duty"])
        for duty, held in self._signs["leases"].items():
            leased.add_metric([duty], float(held))
        yield leased
        for name, (what, about) in OF_ALL.items():
            if (value := self._signs.get(what)) is not None:
                yield GaugeMetricFamily(name, about, value)
