"""Stages and owners over time: their durations sum to the lead's age (R52, R58, R102, A26)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from aggregates.event import Event
from aggregates.lead import events as e
from aggregates.lead.intervals import Intervals, Value, intervals
from aggregates.lead.state import Lead
from tests.seed import SEED
from tests.unit.lead.given import ASSIGNED, CAPTURED, HOUR, LEAD, NOW


def stage(lead: Lead) -> str | None:
    return lead.stage


def owner(lead: Lead) -> str | None:
    return lead.owner


def found(history: Sequence[Event], value: Value, hours: float) -> Intervals:
    """The intervals of a lead so many hours after its capture."""
    return intervals(LEAD, history, value, NOW + hours * HOUR)


def rows(found: Intervals) -> list[tuple[str | None, float, bool]]:
    """Value, hours, and whether it still lasts."""
    return [(i.value, i.lasted / HOUR, i.until is None) for i in found.items]


def moved(name: str, hours: float | None) -> Event:
    at = None if hours is None else NOW + hours * HOUR
    return e.StageChanged(occurred_at=at, stage=name)


def test_stages_follow_each_other_to_this_day() -> None:
    """R52: what lasted no time at all is left out, but for the stage that the lead is in."""
    history = (*ASSIGNED, moved("已联系", 2), moved("方案提交", 5))
    assert rows(found(history, stage, 9)) == [
        ("待跟进", 2, False),
        ("已联系", 3, False),
        ("方案提交", 4, True),
    ]
    assert rows(found(history, stage, 5))[-1] == ("方案提交", 0, True)
    assert found(history, stage, 9).age == 9 * HOUR


def test_a_lead_without_an_owner_was_with_nobody() -> None:
    """R8, R102: hand-overs and the pool."""
    history = (
        *CAPTURED,
        e.LeadAssigned(occurred_at=NOW + HOUR, owner="chen"),
        e.LeadHandedOver(occurred_at=NOW + 3 * HOUR, owner="li", previous_owner="chen"),
        e.LeadReleasedToPool(occurred_at=NOW + 4 * HOUR, pool="公海"),
    )
    assert rows(found(history, owner, 6)) == [
        (None, 1, False),
        ("chen", 2, False),
        ("li", 1, False),
        (None, 2, True),
    ]


def test_pauses_are_part_of_the_intervals_and_told_apart() -> None:
    """A26: one over two stages, one that still lasts."""
    history = (
        *ASSIGNED,
        e.LeadPaused(occurred_at=NOW + HOUR, reason="春节"),
        moved("已联系", 2),
        e.LeadResumed(occurred_at=NOW + 4 * HOUR),
        e.LeadPaused(occurred_at=NOW + 7 * HOUR, reason="出差"),
    )
    result = found(history, stage, 10)
    assert [i.paused / HOUR for i in result.items] == [1, 5]
    assert [(p.value, p.lasted / HOUR, p.until is None) for p in result.pauses] == [
        ("春节", 3, False),
        ("出差", 3, True),
    ]


def test_an_invalid_lead_stopped_ageing() -> None:
    """R101: as durations of stages do."""
    lost = e.LeadInvalidated(occurred_at=NOW + 3 * HOUR, reason="空号")
    result = found((*ASSIGNED, lost), stage, 9)
    assert (rows(result), result.age) == ([("待跟进", 3, False)], 3 * HOUR)
    again = found((*ASSIGNED, lost, e.LeadReopened(occurred_at=NOW + 5 * HOUR)), stage, 9)
    assert rows(again) == [("待跟进", 9, True)]
    won = found((*ASSIGNED, e.LeadConverted(occurred_at=NOW + HOUR), lost), stage, 9)
    assert rows(won) == [("待跟进", 9, True)]


def test_imported_facts_may_be_early_late_or_of_unknown_time() -> None:
    """Before the capture nothing counts; an unknown time is that of the fact before."""
    history = (*CAPTURED, moved("A", -5), moved("B", 2), moved("C", None), moved("D", 1))
    assert rows(found(history, stage, 4)) == [("A", 1, False), ("D", 1, False), ("C", 2, True)]


def test_without_a_capture_time_there_is_no_age() -> None:
    assert found((), stage, 1) == Intervals()
    assert found((e.LeadCaptured(code="x"), moved("A", 1)), stage, 2) == Intervals()


@pytest.mark.parametrize("value", [stage, owner])
def test_durations_sum_to_the_age(value: Value) -> None:
    """Whatever happened, in whatever order it was told."""
    print(f"SEED={SEED}")
    chance = Random(SEED)
    for _ in range(300):
        history: list[Event] = list(CAPTURED)
        for _ in range(chance.randrange(12)):
            at = chance.choice([None, NOW + chance.uniform(-5, 40) * HOUR])
            history.append(
                chance.choice(
                    [
                        e.StageChanged(occurred_at=at, stage=chance.choice("ABC")),
                        e.LeadAssigned(occurred_at=at, owner=chance.choice("xyz")),
                        e.LeadReleasedToPool(occurred_at=at, pool="公海"),
                        e.LeadPaused(occurred_at=at, reason="x"),
                        e.LeadResumed(occurred_at=at),
                        e.LeadInvalidated(occurred_at=at),
                        e.LeadReopened(occurred_at=at),
                    ]
                )
            )
        result = found(history, value, 30)
        assert sum((i.lasted for i in result.items), timedelta(0)) == result.age
        assert all(timedelta(0) <= i.paused <= i.lasted for i in result.items)
        for before, after in zip(result.items, result.items[1:], strict=False):
            assert before.until == after.since
        assert result.items[0].since == datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
