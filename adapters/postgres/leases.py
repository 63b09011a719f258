"""What the loops of a worker have in common: leases, how often they look, pauses after a failure.

A lease is a session lock: it is free the moment its holder is gone.
"""

import threading
import time
from typing import Any

import psycopg

PROJECTION, PROCESS, CLOCK, REBUILD = 7220503, 7220504, 7220505, 7220507
TAKE = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
"""One of the kinds, and a name."""
SHARE = "SELECT pg_try_advisory_lock_shared(%s, hashtext(%s))"
"""The same with others who share it, while nobody has taken it."""
HOLD = "SELECT pg_advisory_lock_shared(%s, hashtext(%s))"
LET_GO = "SELECT pg_advisory_unlock_shared(%s, hashtext(%s))"
"""Share it for a piece of work that others may share in, and then no more."""
IS_FREE = "SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))"

POLL_SECONDS = 0.5
"""NOTIFY is only a hint to look earlier."""
LEASE_SECONDS = 1.0
"""How often a lease is tried for that another holds."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


def wait_for(
    conn: psycopg.Connection[tuple[Any, ...]], kind: int, name: str, stop: threading.Event
) -> bool:
    """Take the lease once it is free, for as long as the connection lives; False when it is time to
    stop.
    """
    while not stop.is_set():
        row = conn.execute(TAKE, (kind, name)).fetchone()
        if row is not None and row[0]:
            return True
        stop.wait(LEASE_SECONDS)
    return False


class Pauses:
    """How long to wait after one spell of work has failed and before the next begins."""

    def __init__(self) -> None:
        self._pause, self._began = SHORTEST_PAUSE, 0.0

    def begin(self) -> None:
        """A spell begins."""
        self._began = time.monotonic()

    def next(self) -> float:
        """Seconds: twice as many each time, the fewest again after a spell that lasted."""
        lasted = time.monotonic() - self._began > LONGEST_PAUSE
        self._pause = SHORTEST_PAUSE if lasted else min(self._pause * 2, LONGEST_PAUSE)
        return self._pause
