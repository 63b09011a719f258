"""Who carries how much, and who waits: `workload` is the fold of every event of ownership (A13)."""

from collections.abc import Callable
from itertools import product
from random import Random
from typing import Any
from uuid import UUID

import pytest
from psycopg.rows import dict_row

from adapters.postgres.builds import Build, ensure_live
from adapters.postgres.rebuild import rebuild
from adapters.postgres.runner import advance
from adapters.postgres.tables import Connection, connect
from aggregates.event import Event, Recorded
from aggregates.lead import events as e
from aggregates.lead.assign import awaits_assignment
from aggregates.lead.choice import kind_of
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.policy.entry import Completeness, Screening
from projections.base import WorkingSet
from projections.workload import CARRIED, EVENTS, PROJECTION, fold
from tests import checker
from tests.checker_workload import workload
from tests.conformance.examples import EXAMPLES
from tests.conformance.histories import Entry, append, interleaved
from tests.seed import SEED
from tests.size import size
from tests.unit.lead.given import CAPTURED, LEAD, NOW, lead_of
from tests.unit.lead.test_assign_by_rule import in_force

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
    lambda rng: e.LeadLabelled(level="high"),
    lambda rng: e.LabelOverridden(level="low"),
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
    lambda rng: PersonalDataErased(occurred_at=NOW, reason="x"),
)


def test_every_event_of_the_projection_is_tried() -> None:
    rng = Random(1)
    assert {type(make(rng)) for make in MAKERS} == set(EVENTS)


def test_whatever_makes_a_lead_await_somebody_the_process_looks_at_it_again() -> None:
    """R8: by any two events that a lead can meet, or when it becomes one of another kind."""
    rules = (
        in_force("screening", Screening(sources=("form",))),
        in_force("completeness", Completeness(blocks_assignment=True)),
    )
    said = (*EXAMPLES, *(make(Random(n)) for make in MAKERS for n in range(2)), *SAYS_MORE)
    found = set()
    for first, second in product((*said, e.LeadReleasedToPool(pool="x")), said):
        history = (*CAPTURED, first)
        before, after = lead_of(*history), lead_of(*history, second)
        for policies in rules:
            other = kind_of(before.profile) != kind_of(after.profile)
            if awaits_assignment(after, policies) and (
                other or not awaits_assignment(before, policies)
            ):
                assert _waits_since(*history, second) == len(history) + 1, (first, second)
                found.add(type(second))
    assert found >= {e.LeadScreened, e.InfoChanged, e.InfoCompleted, e.LeadResumed, e.LeadReopened}
    assert found >= {e.MergeUndone, e.ConversionReversed, e.LeadLabelled, e.LabelOverridden}


SAYS_MORE = (
    e.InfoChanged(details={"source": "form"}),
    e.InfoChanged(details={"source": "fair"}),
    e.InfoMarkedIncomplete(missing=("need",)),
    e.LeadScreened(accepted=False),
)


def _waits_since(*history: Event) -> int | None:
    working = WorkingSet()
    batch = [Recorded(n, LEAD, n, NOW, event) for n, event in enumerate(history, 1)]
    fold(working, [recorded for recorded in batch if isinstance(recorded.event, EVENTS)])
    return working.rows(CARRIED)[LEAD].waits_since


@pytest.mark.parametrize("number", range(size(2, 200)))
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
