"""Reviews and clean-ups that are made up for after a standstill, or in which a lead fails (R100,
R103, R109, R110, A26): what they find is what was known at the period's end.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import anyio
import pytest

from adapters.holiday_calendar import PublicHolidays
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.processes import PROCESSES
from adapters.postgres.runner import catch_up
from adapters.write_side import WriteSide
from aggregates.lead.time_events import LateReasonRecorded
from aggregates.policy.ownership import Assignment
from commands.lead.outcome import InvalidateLead, PauseLead, ReopenLead, ResumeLead
from commands.lead.ownership import AssignLead
from commands.lead.work import RecordFollowUp
from commands.lead_loop import LeadLoop
from commands.loop import Contended
from commands.ports import Appended, NewEvents
from processes.periodic import MOST_TRIES, NAME
from tests.checker import TABLES, check
from tests.integration.living import Living, living
from tests.integration.test_reviews import CONTACT, items, opened, owned, rules, told

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2024, 2, 20, 9, tzinfo=ZONE)  # a Tuesday
MONDAY = datetime(2024, 2, 26, tzinfo=ZONE)
MONTH_END = datetime(2024, 2, 29, tzinfo=ZONE)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Living]:
    async with living(dsn, START) as company:
        yield company


def found(review: dict[str, Any], finding: str) -> list[tuple[str, str]]:
    return [(item["lead"], item["responsible"]) for item in items(review, finding)]


def misfolded(dsn: str) -> list[str]:
    """What the checker says of the read model that reviews are made from."""
    return [fault for fault in check(dsn) if fault.startswith(TABLES["reviewing"])]


@pytest.mark.parametrize("prompt", [True, False], ids=["at once", "after a standstill"])
async def test_a_review_finds_what_was_known_at_its_periods_end(
    company: Living, prompt: bool
) -> None:
    """R103, R109, R110, A26: what became of the leads afterwards is the next review's."""

    async def at(instant: datetime) -> None:
        if prompt:
            await company.until(instant)
        else:
            company.clock.move_to(instant)

    await rules(company, "assignment", Assignment(automatic=False))
    late, ended, goes_on, passed_on = [await owned(company) for _ in range(4)]
    taken, given_up = await company.capture(), await company.capture()
    await at(START + HOUR)
    for lead in (ended, goes_on, passed_on):
        await company.say(PauseLead(reason="客户预算", resume_at=MONDAY + 5 * DAY), lead)
    await at(MONDAY - HOUR)
    await company.say(ResumeLead(), ended)
    await at(MONDAY)
    await told(company, late, LateReasonRecorded(occurred_at=MONDAY, reason="出差"))
    await company.say(PauseLead(reason="客户预算"), late)
    await company.say(ResumeLead(), goes_on)
    await company.say(AssignLead(owner="li", team="east"), passed_on)
    await company.say(AssignLead(owner="li", team="east"), taken)
    await company.say(InvalidateLead(reason="无需求"), given_up)
    await company.capture()
    await company.until(MONDAY + DAY)
    east, rest = opened(company, "weekly")
    assert east["counts"] == {"late": 1, "escalated": 1, "unowned": 2, "paused": 2}
    assert found(east, "late") == [(str(late), "chen")]
    assert "late_reason" not in items(east, "late")[0]
    assert sorted(found(east, "paused")) == sorted([(str(x), "chen") for x in (goes_on, passed_on)])
    assert {item["paused_seconds"] for item in items(east, "paused")} == {
        (MONDAY - START - HOUR).total_seconds()
    }
    assert dict(found(rest, "unowned")).keys() == {str(taken), str(given_up)}
    assert misfolded(company.dsn) == []


async def test_a_pause_that_ended_by_itself_in_the_week_is_over(company: Living) -> None:
    """R109, A26: however late its end is recorded."""
    over, stands = await owned(company), await owned(company)
    await company.say(PauseLead(reason="客户预算", resume_at=MONDAY - SECOND), over)
    await company.say(PauseLead(reason="客户预算", resume_at=MONDAY), stands)
    company.clock.move_to(MONDAY + 2 * DAY)
    await company.until(MONDAY + 2 * DAY)
    east, _ = opened(company, "weekly")
    assert found(east, "paused") == [(str(stands), "chen")]
    assert misfolded(company.dsn) == []


async def test_what_was_due_on_a_closed_lead_is_due_no_more(company: Living) -> None:
    """R53, R101, R103: reopening it does not bring back what was overdue then."""
    lead, open_still = await owned(company), await owned(company)
    contact: dict[str, Any] = {**CONTACT, "next_step": "报价", "next_step_due": START.date()}
    for one in (lead, open_still):
        await company.say(RecordFollowUp(**contact), one, by="chen")
    await company.until(START + DAY)
    await company.say(InvalidateLead(reason="无需求"), lead)
    await company.say(ReopenLead(), lead)
    await company.until(MONDAY)
    east, _ = opened(company, "weekly")
    assert found(east, "overdue") == [(str(open_still), "chen")]
    assert misfolded(company.dsn) == []


class Failing(PostgresEventLog):
    """Somebody else is always faster on a lead, so many times."""

    lead: UUID
    times: int

    async def append(self, new: NewEvents) -> Appended:
        if new.stream == self.lead and self.times:
            self.times -= 1
            raise Contended("somebody else was faster")
        return await super().append(new)


async def failing(company: Living, lead: UUID, times: int) -> WriteSide:
    """The write side of a worker that fails on a lead, on the month's last day."""
    await company.until(MONTH_END - SECOND)
    company.clock.move_to(MONTH_END)
    log = Failing(company.dsn, simulated_now=company.clock.now)
    log.lead, log.times = lead, times
    own = company.own
    leads = LeadLoop(log, own.registry, own.clock, own.zone, PublicHolidays())
    return replace(own, log=log, leads=leads)


async def carry_out(own: WriteSide, dsn: str) -> None:
    """Let the worker do all that is due, with read models that keep up."""
    process = PROCESSES[NAME].make(own, 0)
    for _ in range(MOST_TRIES + 2):
        await anyio.to_thread.run_sync(catch_up, dsn)
        await process.step()
    await own.log.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("times", "missing"), [(1, 0), (MOST_TRIES - 1, 0), (MOST_TRIES, 1)])
async def test_a_lead_that_fails_is_proposed_all_the_same(
    company: Living, times: int, missing: int, caplog: pytest.LogCaptureFixture
) -> None:
    """R100: it is tried again, and in the end named in the log and left out of the month."""
    leads = [await owned(company) for _ in range(3)]
    for lead in leads:
        for _ in range(2):
            await company.say(RecordFollowUp(outcome="wrong_number"), lead, by="chen")
    await carry_out(await failing(company, leads[1], times), company.dsn)
    east, _ = opened(company, "clean-up")
    assert dict(found(east, "proposed")).keys() == {
        str(lead) for lead in leads if not (missing and lead == leads[1])
    }
    named = [r for r in caplog.messages if "goes on without" in r]
    assert [str(leads[1]) in text for text in named] == [True] * missing
