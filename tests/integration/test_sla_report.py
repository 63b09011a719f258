"""Reports of time on what a company lived through in simulated time: golden cases 2 and 3; R38,
R43, R44, R110, A13, A26, A30, A31.
"""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from adapters.cli.sheets import flat
from commands.lead.outcome import InvalidateLead, PauseLead, ResumeLead
from commands.lead.ownership import AssignLead
from commands.lead.work import RecordFollowUp
from tests.integration.living import Living, living
from tests.integration.report_log import Log

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2024, 5, 1, 9, 15, tzinfo=ZONE)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CONTACT = {"content": "客户对产品A功能感兴趣,要求提供案例", "feedback": "需要下周前提供报价单"}
LATE = 5 * HOUR + 15 * MINUTE
NONE = dict.fromkeys(
    ("due", "met", "late", "open_overdue", "pending", "withdrawn", "recorded_late", "escalated",
     "reasons", "paused_hours"), 0,
)  # fmt: skip


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Living]:
    async with living(dsn, START) as company:
        yield company


def rows(company: Living, name: str = "sla-compliance", **given: Any) -> dict[str, Any]:
    """The rows by bucket; `total` is one of them."""
    body = Log(company.dsn).report(name, **given)
    return {row.pop("bucket"): row for row in body["rows"]} | {"total": body["total"]}


def counts(row: dict[str, Any]) -> dict[str, Any]:
    """Its counts that are not 0."""
    return {name: row[name] for name in NONE if row[name]}


async def given_to(company: Living, owner: str, **lead: Any) -> Any:
    stream = await company.capture(**lead)
    await company.say(AssignLead(owner=owner), stream)
    return stream


async def test_late_by_five_hours_and_a_quarter(company: Living) -> None:
    """G2: due 05-02 09:15, contact at 14:30 the same day: late by 18,900 s, not escalated."""
    lead = await given_to(company, "chen")
    assert counts(rows(company)["total"]) == {"pending": 1}
    await company.until(START + DAY - timedelta(seconds=1))
    assert counts(rows(company)["total"]) == {"pending": 1}
    await company.until(START + DAY)
    assert counts(rows(company)["total"]) == {"due": 1, "open_overdue": 1}
    await company.until(START + DAY + LATE)
    await company.say(RecordFollowUp(**CONTACT), lead, by="chen")
    row = rows(company, dimension="owner,level")["chen | high"]
    assert counts(row) == {"due": 1, "late": 1}
    assert row["rate"] == 0
    assert row["late_hours"] == dict.fromkeys(
        ("mean", "median", "p75", "p90", "min", "max"), LATE / HOUR
    )
    with psycopg.connect(company.dsn) as conn:
        view = conn.execute("SELECT owner, state, late_seconds FROM report.first_follow_ups")
        assert view.fetchall() == [("chen", "late", 18_900.0)]


async def test_nothing_done_is_overdue_and_escalated(company: Living) -> None:
    """G3: a low lead, breach and escalation at +72 h."""
    await given_to(company, "chen", level="low")
    await company.until(START + 3 * DAY)
    assert counts(rows(company, dimension="level")["low"]) == {
        "due": 1, "open_overdue": 1, "escalated": 1,
    }  # fmt: skip
    assert counts(rows(company, as_of=START + 3 * DAY)["total"]) == {"pending": 1}


async def test_the_contact_counts_not_its_record(company: Living) -> None:
    """A30: met at the due instant, though recorded when the breach had been; not a second later."""
    met, late = await given_to(company, "chen"), await given_to(company, "li")
    await company.until(START + DAY + HOUR)
    assert counts(rows(company)["total"]) == {"due": 2, "open_overdue": 2}
    for lead, at in ((met, START + DAY), (late, START + DAY + timedelta(seconds=1))):
        await company.say(RecordFollowUp(**CONTACT, occurred_at=at), lead, by="wang")
    found = rows(company, dimension="owner")
    assert counts(found["chen"]) == {"due": 1, "met": 1, "recorded_late": 1}
    assert counts(found["li"]) == {"due": 1, "late": 1}
    assert found["li"]["late_hours"]["max"] == round(1 / 3600, 6)
    assert found["total"]["rate"] == 0.5


async def test_each_owner_answers_for_their_own_task(company: Living) -> None:
    """R110, A31: chen was late and stays it; li's task is li's; wu's was never due."""
    lead = await given_to(company, "chen")
    await company.until(START + DAY + HOUR)
    await company.say(AssignLead(owner="li"), lead)
    await company.until(START + DAY + 2 * HOUR)
    await company.say(RecordFollowUp(**CONTACT), lead, by="li")
    other = await given_to(company, "li")
    await company.say(AssignLead(owner="wang"), other)
    await company.say(InvalidateLead(reason="无需求"), other)
    found = rows(company, dimension="owner")
    assert counts(found["chen"]) == {"due": 1, "late": 1}
    assert counts(found["li"]) == {"due": 1, "met": 1, "withdrawn": 1}
    assert counts(found["wang"]) == {"withdrawn": 1}
    assert found["chen"]["late_hours"]["mean"] is None
    assert found["total"]["rate"] == 0.5
    evidence = Log(company.dsn).evidence("sla-compliance", "li", dimension="owner")
    assert [row["state"] for row in evidence] == ["met", "withdrawn"]


async def test_no_time_runs_while_a_lead_is_paused(company: Living) -> None:
    """A26: 1 h into 24 paused for 48, so due 48 h later; the pauses are reported."""
    lead = await given_to(company, "chen")
    await company.until(START + HOUR)
    await company.say(PauseLead(reason="预算未批"), lead)
    await company.until(START + 49 * HOUR)
    assert counts(rows(company)["total"]) == {"pending": 1}
    assert rows(company, "workload")["chen"]["paused"] == 1
    await company.say(ResumeLead(), lead)
    await company.until(START + 72 * HOUR)
    await company.say(RecordFollowUp(**CONTACT), lead, by="chen")
    row = rows(company)["total"]
    assert (row["met"], row["paused_hours"]) == (1, 48)


async def test_workload_shows_who_has_how_much(company: Living) -> None:
    """R43, R44, A13: open leads by level, what is overdue, and since when."""
    await given_to(company, "chen")
    await company.until(START + DAY)
    for level in ("medium", "low"):
        await given_to(company, "chen", level=level)
    await company.capture()
    found = rows(company, "workload")
    chen = dict(flat(found["chen"]))
    assert chen == {
        "open": 3, "unpaused": 3, "paused": 0, "overdue": 1, "high": 1, "medium": 1, "low": 1,
        "unrated": 0, "oldest": "2024-05-01",
    }  # fmt: skip
    assert found["(missing)"]["open"] == 1
    assert found["total"]["open"] == 4
    assert rows(company, "workload", as_of=START + DAY)["chen"]["overdue"] == 0
    evidence = Log(company.dsn).evidence("workload", "chen")
    assert [row["overdue"] for row in evidence] == [True, False, False]
