"""What becomes due, on a real database in simulated time: golden cases 2 to 4; P5, R40, A26."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from commands.lead.outcome import PauseLead
from commands.lead.ownership import AssignLead
from commands.lead.work import AdvanceLead, RecordFollowUp
from tests.integration.living import Living, living

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2024, 5, 1, 9, 15, tzinfo=ZONE)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
CONTACT = {"content": "客户对产品A功能感兴趣,要求提供案例", "feedback": "需要下周前提供报价单"}


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Living]:
    async with living(dsn, START) as company:
        yield company


def times(history: list[tuple[str, datetime]], *topics: str) -> list[tuple[str, timedelta]]:
    """When the events with these topics happened, since the start, in the order of the log."""
    return [(t.removeprefix("lead."), at - START) for t, at in history if t[5:] in topics]


async def test_a_high_lead_is_late_by_what_its_contact_says(company: Living) -> None:
    """G2: assigned 05-01 09:15, due 05-02 09:15, contact at 14:30 the same day, no escalation."""
    lead = await company.capture()
    await company.say(AssignLead(owner="chen"), lead)
    assert await company.until(START + DAY - SECOND) == []
    assert await company.until(START + DAY) == [START + DAY]
    await company.until(START + DAY + 5 * HOUR + timedelta(minutes=15))
    await company.say(RecordFollowUp(**CONTACT), lead, by="chen")
    await company.until(START + 10 * DAY)
    watched = ("first-response-breached", "first-response-made", "escalated-to-supervisor")
    assert times(company.history(lead), *watched) == [
        ("first-response-breached", DAY),
        ("first-response-made", DAY + 5 * HOUR + timedelta(minutes=15)),
    ]


async def test_a_low_lead_is_late_and_escalated_at_one_instant(company: Living) -> None:
    """G3: breach first, escalation second, each once, both at +72 h (A11)."""
    lead = await company.capture(level="low")
    await company.say(AssignLead(owner="chen"), lead)
    assert await company.until(START + 3 * DAY - SECOND) == []
    assert (await company.until(START + 30 * DAY))[0] == START + 3 * DAY
    watched = ("first-response-breached", "escalated-to-supervisor")
    assert times(company.history(lead), *watched) == [
        ("first-response-breached", 3 * DAY),
        ("escalated-to-supervisor", 3 * DAY),
    ]


async def test_a_proposal_is_to_be_revisited_in_three_days(company: Living) -> None:
    """G4, R53: a contact done in time ends the task; otherwise it is overdue at its instant."""
    leads = [await company.capture() for _ in range(2)]
    for lead in leads:
        await company.say(AssignLead(owner="chen"), lead)
        await company.say(RecordFollowUp(**CONTACT), lead, by="chen")
        await company.say(AdvanceLead(stage="方案提交"), lead, by="chen")
    await company.until(START + 2 * DAY)
    await company.say(RecordFollowUp(**CONTACT), leads[0], by="chen")
    await company.until(START + 4 * DAY)
    assert times(company.history(leads[0]), "task-overdue", "task-done") == [("task-done", 2 * DAY)]
    assert times(company.history(leads[1]), "task-overdue", "task-done") == [
        ("task-overdue", 3 * DAY)
    ]


async def test_a_pause_ends_by_itself_and_the_clocks_go_on(company: Living) -> None:
    """R107, R108, A26: what was left of every deadline runs on from the time to resume."""
    lead = await company.capture()
    await company.say(AssignLead(owner="chen"), lead)
    await company.until(START + 20 * HOUR)
    resume_at = START + 5 * DAY
    await company.say(PauseLead(reason="客户预算", resume_at=resume_at), lead)
    await company.until(START + 30 * DAY)
    watched = ("resumed", "first-response-breached", "escalated-to-supervisor")
    assert times(company.history(lead), *watched) == [
        ("resumed", 5 * DAY),
        ("first-response-breached", 5 * DAY + 4 * HOUR),
        ("escalated-to-supervisor", 5 * DAY + 52 * HOUR),
    ]
