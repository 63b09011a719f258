"""How many connections to the change feed there may be, and how long they may be silent."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from api.problems import Problem

RETRY = {"Retry-After": "10"}


class FeedLimits:
    """Counts the connections of this process: of one person `each`, of all together `total`.

    On each something is sent every `heartbeat` seconds at least.
    """

    def __init__(self, *, total: int, each: int, heartbeat: float) -> None:
        self._total, self._each = total, each
        self.heartbeat = heartbeat
        self._of: Counter[str] = Counter()

    @contextmanager
    def one_more(self, person: str) -> Iterator[None]:
        """A connection of a person; 429 above their own limit, 503 above that of all."""
        if self._of[person] >= self._each:
            detail = f"at most {self._each} connections to the feed: close one"
            raise Problem(429, "too-many-connections", detail, headers=RETRY)
        if self._of.total() >= self._total:
            detail = "too many connections to the feed: try again later"
            raise Problem(503, "too-many-connections", detail, headers=RETRY)
        self._of[person] += 1
        try:
            yield
        finally:
            self._of[person] -= 1
            self._of += Counter()  # forgets those without any
