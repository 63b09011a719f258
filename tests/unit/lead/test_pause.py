"""Letting a lead stand still: R107, R108, A13, A26."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from aggregates.event import Event
from aggregates.lead.assign import assign
from aggregates.lead.events import (
    LeadConverted,
    LeadInvalidated,
    LeadPaused,
    LeadReassigned,
    LeadResumed,
)
from aggregates.lead.pause import pause, resume
from aggregates.lead.state import Activity, Disposition, Lead, Pause
from aggregates.policy.work import PauseRules
from tests.unit.lead.given import ASSIGNED, HOUR, NOW, Decision, given, lead_of

DAY = timedelta(days=1)
LONGEST = NOW + 90 * DAY
WHY = "预算下季度批复"


def pausing(resume_at: datetime | None = None, now: datetime = NOW, **changes: Any) -> Decision:
    """The decision to pause by the built-in rules."""
    command = {"reason": WHY, "rules": PauseRules(), "zone": ZoneInfo("Asia/Shanghai")} | changes
    return lambda lead: pause(lead, now=now, resume_at=resume_at, **command)


def going_on(lead: Lead) -> Sequence[Event]:
    """The decision to resume a day later."""
    return resume(lead, now=NOW + DAY, reason="批复")


def paused(at: datetime = NOW, until: datetime = LONGEST, reason: str = WHY) -> LeadPaused:
    """What pausing records."""
    return LeadPaused(occurred_at=at, reason=reason, resume_at=until)


def test_a_lead_is_paused_for_a_reason_and_keeps_its_owner() -> None:
    """R107, A26: without an end of its own it ends when the policy says."""
    given(*ASSIGNED).when(pausing()).then(paused())
    lead = lead_of(*ASSIGNED, paused())
    assert (lead.activity, lead.owner) == (Activity.PAUSED, "chen")
    assert lead.pause == Pause(NOW, WHY, LONGEST)
    assert lead.disposition is Disposition.OPEN


def test_the_same_pause_again_records_nothing() -> None:
    """R107."""
    week = NOW + 7 * DAY
    given(*ASSIGNED).when(pausing(week)).then(paused(until=week)).when(pausing(week)).then()
    given(*ASSIGNED, paused(until=week)).when(pausing(now=NOW + HOUR)).then()


def test_another_end_or_reason_changes_the_pause_that_stands() -> None:
    """A26: the pause goes on from when it began."""
    week, fortnight, later = NOW + 7 * DAY, NOW + 14 * DAY, NOW + HOUR
    longer, other = paused(later, fortnight), paused(later, week, "出差")
    given(*ASSIGNED, paused(until=week)).when(pausing(fortnight, later)).then(longer)
    given(*ASSIGNED, paused(until=week)).when(pausing(now=later, reason="出差")).then(other)
    assert lead_of(*ASSIGNED, paused(until=week), longer).pause == Pause(NOW, WHY, fortnight)


@pytest.mark.parametrize(
    ("resume_at", "code"),
    [
        (NOW, "not-in-the-future"),
        (NOW - HOUR, "not-in-the-future"),
        (LONGEST + timedelta(seconds=1), "pause-too-long"),
    ],
)
def test_a_pause_ends_in_the_future_within_what_the_policy_allows(
    resume_at: datetime, code: str
) -> None:
    """A26."""
    given(*ASSIGNED).when(pausing(resume_at)).refused(code, "resume_at")
    given(*ASSIGNED).when(pausing(LONGEST)).then(paused())


def test_no_pause_is_made_longer_than_allowed_bit_by_bit() -> None:
    """A26: the longest is counted from the beginning."""
    late = NOW + 80 * DAY
    given(*ASSIGNED, paused()).when(pausing(late + 20 * DAY, late)).refused(
        "pause-too-long", "resume_at"
    )


def test_a_paused_lead_goes_on() -> None:
    """A26: all paused time is kept count of."""
    resumed = LeadResumed(occurred_at=NOW + DAY, reason="批复")
    changed = paused(NOW + HOUR, NOW + 2 * DAY)
    given(*ASSIGNED, paused(), changed).when(going_on).then(resumed).when(going_on).then()
    lead = lead_of(*ASSIGNED, paused(), changed, resumed)
    assert (lead.activity, lead.pause, lead.paused_seconds) == (Activity.ACTIVE, None, 86400)


def test_a_lead_that_is_not_paused_stays_as_it_is() -> None:
    """A26: a repeated intent records nothing."""
    given(*ASSIGNED).when(going_on).then()


def test_what_is_closed_is_not_paused() -> None:
    """A15."""
    given().when(pausing()).refused("not-captured")
    given().when(going_on).refused("not-captured")
    given(*ASSIGNED, LeadInvalidated(reason="x")).when(pausing()).refused("lead-invalid")
    given(*ASSIGNED, LeadConverted(occurred_at=NOW)).when(pausing()).refused("lead-converted")


def test_a_new_owner_does_not_end_the_pause() -> None:
    """A26, A31."""
    to_li = LeadReassigned(occurred_at=NOW, owner="li", previous_owner="chen")
    given(*ASSIGNED, paused()).when(
        lambda lead: assign(lead, now=NOW, owner="li", team=None, reason=None)
    ).then(to_li)
    assert lead_of(*ASSIGNED, paused(), to_li).activity is Activity.PAUSED
