"""The loop that keeps projections at the end of the log.

Each projection is leased by one worker (a session lock: it is free the moment its holder is gone).
NOTIFY is only a hint to look early: the log is polled underneath. After a lost connection or a
missing right it begins again, with growing pauses, until `stop` is set.
"""

import logging
import threading
import time
from collections.abc import Iterable

import psycopg

from adapters.postgres import leases
from adapters.postgres.builds import drop_stale, live_builds
from adapters.postgres.leases import Pauses
from adapters.postgres.rebuild import rebuild_outdated
from adapters.postgres.runner import advance
from adapters.postgres.tables import Connection, connect
from commands.ports import Unavailable
from projections.base import Projection
from projections.catalogue import PROJECTIONS

logger = logging.getLogger("leadlog.worker")


def run_forever(dsn: str, stop: threading.Event, names: Iterable[str] | None = None) -> None:
    """Advance projections (all by default) until `stop` is set."""
    wanted = [PROJECTIONS[name] for name in names or PROJECTIONS]
    pauses = Pauses()
    while not stop.is_set():
        pauses.begin()
        try:
            with connect(dsn) as work, connect(dsn, autocommit=True) as ears:
                ears.execute("LISTEN leadlog_events")
                _Worker(work, ears, wanted, stop).run()
        except (psycopg.Error, Unavailable) as error:
            pause = pauses.next()
            logger.warning("the read models stand still, again in %.1f s: %s", pause, error)
            stop.wait(pause)


def is_leased(conn: Connection, name: str) -> bool:
    """Whether a worker looks after a projection now."""
    with conn.transaction():
        row = conn.execute(leases.IS_FREE, (leases.PROJECTION, name)).fetchone()
    return row is not None and not row[0]


class _Worker:
    """One connected spell of work, with the leases that live and die with its connection."""

    def __init__(
        self,
        work: Connection,
        ears: Connection,
        wanted: list[Projection],
        stop: threading.Event,
    ) -> None:
        self._work, self._ears, self._stop = work, ears, stop
        self._wanted = wanted
        self._leased: set[str] = set()
        self._next_lease_at = 0.0

    def run(self) -> None:
        """Advance what is leased; when all of it is at the log's end, wait for a hint."""
        while not self._stop.is_set():
            self._take_leases()
            with self._work.transaction():
                builds = live_builds(self._work)
            leased = [(p, builds[p.name]) for p in self._wanted if p.name in self._leased]
            # Another version's build stands still until its successor is swapped in.
            ours = [(p, build) for p, build in leased if build.version == p.version]
            progress = [advance(self._work, p, build) for p, build in ours]
            if all(p.done for p in progress):
                self._listen()

    def _take_leases(self) -> None:
        """Take what others may have left, and drop builds that nobody may keep; once a second."""
        if time.monotonic() < self._next_lease_at:
            return
        self._next_lease_at = time.monotonic() + leases.LEASE_SECONDS
        for projection in self._wanted:
            if projection.name not in self._leased and self._lease(projection.name):
                self._leased.add(projection.name)
                rebuild_outdated(self._work, projection)
        drop_stale(self._work, self._leased)

    def _lease(self, name: str) -> bool:
        with self._work.transaction():
            row = self._work.execute(leases.TAKE, (leases.PROJECTION, name)).fetchone()
        return row is not None and bool(row[0])

    def _listen(self) -> None:
        for _ in self._ears.notifies(timeout=leases.POLL_SECONDS, stop_after=1):
            pass
