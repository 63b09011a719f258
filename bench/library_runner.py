"""The baseline of S6: eventsourcing's own ProjectionRunner, on its own stock tables.

Everything is as the library's documentation shows it: JSON events of a plain aggregate, a
PostgreSQL view that keeps one row, one transaction per event for that row and the tracking.
"""

import time
from typing import Any

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

EVENTS_PER_AGGREGATE = 10
PATIENCE = 300.0


class Note(Aggregate):
    """An aggregate with one kind of change."""

    @event("Changed")
    def change(self, stage: str) -> None:
        """One more event."""
        self.stage = stage


class Notes(Application[Any]):
    """The stock application; its table is `notes_events`."""


class Count(PostgresTrackingRecorder):
    """A view of one row: how many events there were."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seconds: list[float] = []
        table = sql.Identifier(self.datastore.schema, "library_count")
        self.sql_create_statements.append(
            sql.SQL("CREATE TABLE IF NOT EXISTS {} (id int PRIMARY KEY, n bigint)").format(table)
        )
        self._add = sql.SQL(
            "INSERT INTO {} AS c VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET n = c.n + 1"
        ).format(table)

    def add(self, tracking: Tracking) -> None:
        """Count one event, exactly once."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._add, prepare=True)
        self.seconds.append(time.perf_counter())


class CountEvents(Projection[Count]):
    """Counts every event."""

    def process_event(self, _: Any, tracking: Tracking) -> None:
        """One event, one transaction."""
        self.view.add(tracking)


def events_per_second(dsn: str, size: int) -> float:
    """How many events the runner projects per second, of `size` that lie in its table already.

    Measured from the first event's commit to the last one's: its start does not count.
    """
    env = _environment(dsn)
    last = _fill(env, size)
    with ProjectionRunner(
        application_class=Notes, projection_class=CountEvents, view_class=Count, env=env
    ) as runner:
        runner.wait(last, timeout=PATIENCE)
        done = runner.view.seconds
        return (len(done) - 1) / (done[-1] - done[0])


def _fill(env: dict[str, str], size: int) -> int:
    """Save `size` events; returns the last one's id."""
    last = 0
    with Notes(env) as app:
        for _ in range(size // EVENTS_PER_AGGREGATE):
            note = Note()
            for n in range(EVENTS_PER_AGGREGATE - 1):
                note.change(f"stage {n}")
            last = app.save(note)[-1].notification.id
    return last


def _environment(dsn: str) -> dict[str, str]:
    parts = conninfo_to_dict(dsn)
    names = ("dbname", "host", "port", "user", "password")
    given = {f"POSTGRES_{name.upper()}": str(parts.get(name, "")) for name in names}
    return {"PERSISTENCE_MODULE": "eventsourcing.postgres", **given}
