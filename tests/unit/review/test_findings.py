"""What a review would find of a lead, and when that was known: R42, R53, R101, R103, R109, A26."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from aggregates.event import Event, Recorded
from aggregates.lead import events as e
from aggregates.lead import time_events as t
from projections.base import WorkingSet
from projections.review_tables import FINDINGS, FindingRow
from projections.reviewing import PROJECTION

LEAD, OTHER = UUID(int=1), UUID(int=2)
START = datetime(2024, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
CAPTURED = e.LeadCaptured(code="KH1", occurred_at=START, details={"owner": "chen", "team": "east"})
OVERDUE = t.TaskOverdue(task="回访", owner="chen", occurred_at=START)
BREACHED = t.FirstResponseBreached(owner="chen", level="high", occurred_at=START)
PAUSED = e.LeadPaused(reason="客户预算", occurred_at=START + HOUR)

Stretch = tuple[str, int, int | None]


def rows(*batches: Sequence[Event]) -> list[FindingRow]:
    """What batches make of a lead; the n-th event is recorded n hours after the start."""
    working, position = WorkingSet(), 0
    for batch in batches:
        recorded = []
        for event in batch:
            at = START + position * HOUR
            position += 1
            recorded.append(Recorded(position, LEAD, position, at, event))
        PROJECTION.fold(working, recorded)
    return sorted(working.rows(FINDINGS).values(), key=lambda row: (row.position, row.finding))


def stretches(*events: Event) -> list[Stretch]:
    """Each finding, with the hours from when and until when it was known."""
    whole, apart = rows(events), rows(*([event] for event in events))
    assert whole == apart, "it depends on the batches"
    return [(row.finding, _hours(row.known_from), _hours(row.known_until)) for row in whole]


def _hours(at: datetime | None) -> Any:
    return at and (at - START) // HOUR


@pytest.mark.parametrize(
    ("closed", "opened"),
    [
        (e.LeadInvalidated(), e.LeadReopened()),
        (e.LeadConverted(), e.ConversionReversed(reason="撤销")),
    ],
)
def test_what_was_due_ends_with_the_lead(closed: Event, opened: Event) -> None:
    """R101, R103: opened again it has no such task; that it was late then stays so."""
    found = stretches(CAPTURED, OVERDUE, BREACHED, closed, opened)
    assert found == [("overdue", 0, 3), ("late", 0, None)]


def test_a_merged_lead_has_no_findings_until_the_merge_is_undone() -> None:
    """A1: then everything is as if it had not been."""
    merged, undone = e.LeadsMerged(into=OTHER), e.MergeUndone(into=OTHER)
    found = stretches(CAPTURED, OVERDUE, BREACHED, PAUSED, merged, undone)
    was = [("overdue", 0, 4), ("late", 0, 4), ("paused", 3, 4)]
    assert found == [*was, ("late", 5, None), ("overdue", 5, None), ("paused", 5, None)]


def test_a_finding_is_its_owners_of_each_time() -> None:
    """R103: who has the lead is responsible for what is still to be done, while they have it."""
    passed = e.LeadReassigned(owner="li", team="west", previous_owner="chen")
    found = rows([CAPTURED, PAUSED, OVERDUE, BREACHED, passed])
    assert {(r.finding, r.owner, r.team, _hours(r.known_until)) for r in found} == {
        ("paused", "chen", "east", 4), ("paused", "li", "west", None),
        ("overdue", "chen", "east", 4), ("overdue", "li", "west", None),
        ("late", "chen", "east", None),
    }  # fmt: skip


def test_a_pause_that_is_changed_or_repeated_keeps_its_beginning() -> None:
    """A26: with what was known of it, and the seconds of the pauses before."""
    resumed = e.LeadResumed(occurred_at=START + 2 * HOUR)
    longer = e.LeadPaused(
        reason="客户预算", occurred_at=START + 4 * HOUR, resume_at=START + 9 * HOUR
    )
    again = e.LeadPaused(reason="客户预算", occurred_at=START + 3 * HOUR)
    found = rows([CAPTURED, PAUSED, resumed, again, longer])
    known = [(_hours(r.since), _hours(r.resume_at), r.paused_seconds) for r in found]
    assert known == [(1, None, 0.0), (3, None, 3600.0), (3, 9, 3600.0)]
    assert [_hours(r.known_until) for r in found] == [2, 4, None]


def test_a_late_reason_is_known_from_when_it_is_given() -> None:
    """R42."""
    found = rows([CAPTURED, BREACHED, t.LateReasonRecorded(reason="出差")])
    assert [(r.late_reason, _hours(r.known_until)) for r in found] == [(None, 2), ("出差", None)]


def test_what_lasts_no_time_leaves_nothing() -> None:
    """R8: recorded together with its owner, a lead was never without one."""
    at_once = e.StageChanged(stage="待分配"), e.LeadAssigned(owner="chen", team="east")
    working = WorkingSet()
    captured = e.LeadCaptured(code="KH1", occurred_at=START)
    for n, event in enumerate([captured, *at_once], 1):
        PROJECTION.fold(working, [Recorded(n, LEAD, n, START, event)])
    assert working.rows(FINDINGS) == {}
