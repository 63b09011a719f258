"""Who carries how much, and who waits: `workload` is the fold of every event of ownership (A13)."""

from collections.abc import Callable
from random import Random
from typing import Any
from uuid import UUID

import pytest
from psycopg.rows import dict_row

from adapters.postgres.builds import Build, ensure_live
from adapters.postgres.rebuild import rebuild
from adapters.postgres.runner import advance
from adapters.postgres.tables import Connection, connect
from aggregates.event import Event
from aggregates.lead import events as e
from projections.workload import EVENTS, PROJECTION
from tests import checker
from tests.checker_workload import workload
from tests.conformance.histories import Entry, append, interleaved
from tests.seed import SEED
from tests.size import size

PEOPLE = ("王芳", "李雷", "Ana")
WHY = {"rule": None}
OTHER = UUID(int=1)


def any_of(rng: Random) -> Any:
    return rng.choice(PEOPLE)


MAKERS: tuple[Callable[[Random], Event], ...] = (
    lambda rng: e.LeadCaptured(code="X", details=rng.choice(({}, {"owner": any_of(rng)}))),
    lambda rng: e.LeadCaptured(code="X"),
    lambda rng: e.StageChanged(stage=rng.choice(("待分配", "待跟进"))),
    lambda rng: e.StageChanged(stage="待分配"),
    lambda rng: e.LeadScreened(accepted=True),
    lambda rng: e.InfoChanged(details=rng.choice(({}, {"owner": None}, {"need": "x"}))),
    lambda rng: e.InfoCompleted(),
    lambda rng: e.LeadPaused(reason="x"),
    lambda rng: e.LeadResumed(),
    lambda rng: e.LeadsMerged(into=OTHER),
    lambda rng: e.MergeUndone(into=OTHER),
    lambda rng: e.LeadInvalidated(),
    lambda rng: e.LeadReopened(),
    lambda rng: e.LeadAssigned(owner=any_of(rng), explanation=rng.choice((WHY, {}))),
    lambda rng: e.LeadAssigned(details=rng.choice(({}, {"owner": any_of(rng)}))),
    lambda rng: e.LeadReassigned(owner=any_of(rng), previous_owner="x"),
    lambda rng: e.LeadHandedOver(
        owner=any_of(rng), previous_owner="x", explanation=rng.choice((WHY, {}))
    ),
    lambda rng: e.LeadReleasedToPool(pool=rng.choice(("公海", "east"))),
    lambda rng: e.LeadClaimed(owner=any_of(rng), pool="公海"),
    lambda rng: e.LeadConverted(details=rng.choice(({}, {"owner": any_of(rng)}))),
    lambda rng: e.ConversionReversed(reason="x"),
)


def test_every_event_of_the_projection_is_tried() -> None:
    rng = Random(1)
    assert {type(make(rng)) for make in MAKERS} == set(EVENTS)


@pytest.mark.parametrize("number", range(size(4, 200)))
def test_the_tables_are_the_fold_of_the_log(number: int, dsn: str) -> None:
    print(f"SEED={SEED}")
    rng = Random(f"{SEED}-{number}")
    append(dsn, interleaved(rng, [_lead(rng) for _ in range(80)]))
    expected = workload(checker.read(dsn).facts)
    with connect(dsn) as conn:
        build = ensure_live(conn, PROJECTION)
        while not advance(conn, PROJECTION, build, limit=rng.choice((1, 7, 100))).done:
            pass
        assert _tables(conn, build) == _sorted(expected)
        assert _tables(conn, rebuild(conn, PROJECTION)) == _sorted(expected)
    waits = [row for row in expected["carried"] if row["waits_since"]]
    assert waits
    assert any(row["load"] > 1 for row in expected["people"])


def _lead(rng: Random) -> list[Entry]:
    stream = UUID(int=rng.getrandbits(128) & ~0xFFFF)
    events = [rng.choice(MAKERS)(rng) for _ in range(rng.randint(1, 9))]
    if rng.random() < 0.7:
        events[:0] = [e.LeadCaptured(code="X"), e.StageChanged(stage="待分配")]
    return [Entry(stream, n, event) for n, event in enumerate(events, 1)]


def _tables(conn: Connection, build: Build) -> dict[str, Any]:
    with conn.transaction():
        cursor = conn.cursor(row_factory=dict_row)
        return _sorted(
            {
                t: cursor.execute(f"TABLE {build.schema}.{t}").fetchall()
                for t in ("carried", "people")
            }
        )


def _sorted(tables: dict[str, Any]) -> dict[str, Any]:
    return {
        t: sorted(rows, key=lambda r: str(next(iter(r.values())))) for t, rows in tables.items()
    }
