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

from adapters import tracing
from adapters.measures import BATCH_EVENTS, BATCH_SECONDS, FAILURES
from adapters.postgres import leases
from adapters.postgres.builds import Build, drop_stale, live_builds
from adapters.postgres.leases import Pauses
from adapters.postgres.rebuild import rebuild_outdated
from adapters.postgres.runner import Progress, advance
from adapters.postgres.tables import Connection, connect
from commands.ports import Unavailable
from projections.base import Projection
from projections.catalogue import PROJECTIONS

logger = logging.getLogger("leadlog.worker")

MOST_TRACES = 100
"""Of one batch: a rebuild is no part of anybody's request."""
CAUSES = (
    "SELECT DISTINCT coalesce(meta ->> 'correlation_id', meta ->> 'command_id')::uuid"
    " FROM (SELECT convert_from(state, 'UTF8')::jsonb -> 'meta' AS meta FROM log.leadlog_events"
    " WHERE notification_id > %s AND notification_id <= %s ORDER BY notification_id LIMIT %s) e"
)


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
            FAILURES.add("project")
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
            progress = [self._advance(p, build) for p, build in ours]
            if all(p.done for p in progress):
                self._listen()

    def _advance(self, projection: Projection, build: Build) -> Progress:
        begun = time.perf_counter()
        progress = advance(self._work, projection, build)
        if (passed := progress.position - build.position) > 0:
            BATCH_SECONDS.observe(time.perf_counter() - begun, projection.name)
            BATCH_EVENTS.add(projection.name, amount=passed)
            if tracing.is_on():
                self._trace(projection.name, build.position, progress.position, begun)
        return progress

    def _trace(self, name: str, after: int, upto: int, begun: float) -> None:
        """A span of the batch in the trace of each command that it has folded something of."""
        ended = time.time_ns()
        begun_at = ended - int((time.perf_counter() - begun) * 10**9)
        with self._work.transaction():
            rows = self._work.execute(CAUSES, (after, upto, MOST_TRACES)).fetchall()
        for (trace,) in rows:
            tracing.note(trace, f"fold {name}", begun_at, ended, events=upto - after)

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
