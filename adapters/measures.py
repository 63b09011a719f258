"""What a process counts: plain numbers, cheap enough for every command, read by `adapters.metrics`.

Names and units follow Prometheus: seconds, `_total` for what only grows. A label has few values
and none of a person, a lead or a request (docs/reference/metrics.md lists them all).
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from threading import Lock

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64)


class Tally:
    """Counts events by the values of labels."""

    def __init__(self, name: str, about: str, *labels: str) -> None:
        self.name, self.about, self.labels = name, about, labels
        self._counts: dict[tuple[str, ...], int] = {}
        self._lock = Lock()

    def add(self, *values: str, amount: int = 1) -> None:
        """So many more."""
        with self._lock:
            self._counts[values] = self._counts.get(values, 0) + amount

    def count(self, values: Iterable[str]) -> None:
        """One more of each value of the only label."""
        for value, count in Counter(values).items():
            self.add(value, amount=count)

    def rows(self) -> list[tuple[tuple[str, ...], int]]:
        """Each combination of values that there was, and its count."""
        with self._lock:
            return list(self._counts.items())


class Distribution:
    """Counts measurements by size, at most `bounds[i]` each, and adds them up."""

    def __init__(
        self, name: str, about: str, *labels: str, bounds: Sequence[float] = SECONDS
    ) -> None:
        self.name, self.about, self.labels, self.bounds = name, about, labels, bounds
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        self._lock = Lock()

    def observe(self, measured: float, *values: str) -> None:
        """One more measurement."""
        with self._lock:
            if values not in self._sums:
                self._sums[values], self._counts[values] = 0.0, [0] * (len(self.bounds) + 1)
            self._counts[values][bisect_left(self.bounds, measured)] += 1
            self._sums[values] += measured

    def rows(self) -> list[tuple[tuple[str, ...], list[int], float]]:
        """Each combination of values, how many between each two bounds, and their sum."""
        with self._lock:
            return [(v, list(counts), self._sums[v]) for v, counts in self._counts.items()]


REQUESTS = Tally("leadlog_http_requests_total", "Answers begun.", "method", "route", "status")
REQUEST_SECONDS = Distribution(
    "leadlog_http_request_seconds", "From a request's headers to its answer's.", "method", "route"
)
COMMANDS = Tally("leadlog_commands_total", "Commands over HTTP.", "kind", "outcome")
APPENDS = Tally("leadlog_appends_total", "What the log did with each append.", "outcome")
APPEND_SECONDS = Distribution("leadlog_append_seconds", "One transaction of appends.")
APPEND_BATCH = Distribution(
    "leadlog_append_batch_commands", "Commands in one transaction.", bounds=SIZES
)
LOOP_LAG = Distribution("leadlog_event_loop_lag_seconds", "How late the event loop is.")
BATCH_SECONDS = Distribution(
    "leadlog_projection_batch_seconds", "One batch of events folded.", "projection"
)
BATCH_EVENTS = Tally(
    "leadlog_projection_events_total", "Positions of the log passed.", "projection"
)
STEP_SECONDS = Distribution(
    "leadlog_process_step_seconds", "A step in which a process did something.", "process"
)
FAILURES = Tally(
    "leadlog_duty_failures_total", "Spells of work that ended without the database.", "duty"
)
MESSAGES = Tally("leadlog_messages_total", "Messages handed to a channel.", "channel", "outcome")

TALLIES = (REQUESTS, COMMANDS, APPENDS, BATCH_EVENTS, FAILURES, MESSAGES)
DISTRIBUTIONS = (
    REQUEST_SECONDS, APPEND_SECONDS, APPEND_BATCH, LOOP_LAG, BATCH_SECONDS, STEP_SECONDS,
)  # fmt: skip
