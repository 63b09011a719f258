"""Tables with several rows for a stream are folds too: rows come, change, go, and come back.

The fold is the test's own, and counts events by lead and topic; every fifth version of a lead
takes away what was counted. What has to come out is found from the whole history at once.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

import pytest
from psycopg import sql

from adapters.postgres import rebuild as rebuilding
from adapters.postgres.builds import Build, ensure_building, ensure_live, swap
from adapters.postgres.rebuild import rebuild
from adapters.postgres.runner import advance
from adapters.postgres.tables import Connection, connect
from adapters.postgres.verify import verify
from aggregates.event import Recorded
from projections.base import Projection, Table, WorkingSet
from projections.catalogue import PROJECTIONS
from tests.conformance.histories import Entry, append, history, interleaved
from tests.seed import SEED
from tests.size import size

ROUNDS, LEADS = size(2, 100), size(25, 160)
SPLITS = (1, 2, 7, 500)
TAKES_AWAY = 5


@dataclass(slots=True)
class CountRow:
    """How often something happened to a lead since it was last taken away, and in which order."""

    lead: UUID
    topic: str
    number: int
    versions: list[str]


@dataclass(slots=True)
class LastRow:
    """The last version of a lead, while there is one row for it."""

    lead: UUID
    version: int


COUNTS = Table("counts", CountRow, key=("lead", "topic"))
LAST = Table("last", LastRow, key=("lead",))


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    counts, last = working.rows(COUNTS), working.rows(LAST)
    for recorded in batch:
        key, version = (recorded.stream, recorded.event.topic), recorded.version
        if version % TAKES_AWAY == 0:
            counts.pop(key, None)
            last.pop(recorded.stream, None)
            continue
        row = counts.setdefault(key, CountRow(*key, 0, []))
        row.number, row.versions = row.number + 1, [*row.versions, str(version)]
        last[recorded.stream] = LastRow(recorded.stream, version)


COUNTING = Projection("counting", 1, PROJECTIONS["leads"].events, (COUNTS, LAST), fold)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_whatever_the_batches_the_rows_are_those_of_the_history(
    number: int, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"SEED={SEED}")
    rng = Random(f"several-{SEED}-{number}")
    entries = interleaved(rng, history(rng, LEADS, 14))
    append(dsn, entries)
    monkeypatch.setattr(rebuilding, "REBUILD_BATCH", 7)  # batches end in the middle of streams
    with connect(dsn) as conn:
        ensure_live(conn, COUNTING)
        for limit in SPLITS:
            assert rows(conn, filled(conn, limit)) == expected(entries), limit
            assert all(verdict.equal for verdict in verify(conn, COUNTING))
        assert rows(conn, rebuild(conn, COUNTING)) == expected(entries)


def filled(conn: Connection, limit: int) -> Build:
    """A build made in batches of `limit`, each rolled back once and delivered twice; it is live."""
    build, done = ensure_building(conn, COUNTING), False
    while not done:
        with conn.transaction(force_rollback=True):
            lost = advance(conn, COUNTING, build, limit=limit)
        progress = advance(conn, COUNTING, build, limit=limit)
        assert progress == lost
        again = advance(conn, COUNTING, build, limit=limit, upto=progress.position)
        assert again.position == progress.position
        done = progress.done
    with conn.transaction():
        swap(conn, COUNTING, build)
    return build


def rows(conn: Connection, build: Build) -> list[list[tuple[Any, ...]]]:
    """Both tables, sorted."""
    everything = sql.SQL("TABLE {}")
    with conn.transaction():
        return [
            sorted(conn.execute(everything.format(sql.Identifier(build.schema, table.name))))
            for table in COUNTING.tables
        ]


def expected(entries: Sequence[Entry]) -> list[list[tuple[Any, ...]]]:
    """The same from the versions of each lead and topic: those behind the last that takes away."""
    by_topic: dict[tuple[UUID, str], list[int]] = defaultdict(list)
    by_lead: dict[UUID, int] = {}
    for stream, version, event in entries:
        if type(event) not in COUNTING.events:
            continue
        by_topic[stream, event.topic].append(version)
        by_lead[stream] = max(version, by_lead.get(stream, 0))
    counts = []
    for key, versions in by_topic.items():
        gone = max((v for v in versions if v % TAKES_AWAY == 0), default=0)
        if kept := [str(v) for v in versions if v > gone]:
            counts.append((*key, len(kept), kept))
    last = [(lead, version) for lead, version in by_lead.items() if version % TAKES_AWAY]
    return [sorted(counts), sorted(last)]
