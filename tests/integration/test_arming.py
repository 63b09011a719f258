"""Leads that a history file brought: only clocks that ring in the future start (architecture 5)."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import anyio
import psycopg
import pytest
from psycopg import sql

from adapters.postgres.runner import catch_up
from aggregates.policy import activate as policy
from aggregates.policy.time import Calendar, Response
from commands.lead.ownership import AssignLead, ReleaseLead
from commands.lead.work import RecordFollowUp
from processes import setbacks
from processes.deadlines import Deadlines
from tests.integration.history_files import imported, text, write
from tests.integration.living import Living, living

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2024, 5, 20, 10, 0, tzinfo=ZONE)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TIMED = (
    "SELECT l.data->>'external_id', e.topic, (e.data->>'occurred_at')::timestamptz,"
    " (e.data->>'due_at')::timestamptz FROM events e JOIN events l"
    " ON l.originator_id = e.originator_id AND l.topic = 'lead.captured'"
    " WHERE e.topic IN ('lead.first-follow-up-task-issued', 'lead.task-scheduled',"
    " 'lead.first-response-breached', 'lead.escalated-to-supervisor', 'lead.task-overdue')"
    " ORDER BY 1, e.notification_id"
)
EVENTS = (
    "WITH events AS (SELECT *, convert_from(state, 'UTF8')::jsonb AS data FROM log.leadlog_events) "
)


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Living]:
    async with living(dsn, NOW) as company:
        yield company


def timed(company: Living) -> list[tuple[str, str, datetime, datetime | None]]:
    with psycopg.connect(company.dsn) as conn:
        return conn.execute(EVENTS + TIMED).fetchall()


def history(
    company: Living, directory: Path, *facts: tuple[str, datetime, str, dict[str, str]]
) -> None:
    """Import facts: lead, instant, kind and data of each."""
    rows = [
        (n, at.replace(tzinfo=None).isoformat(), lead, kind, json.dumps(data))
        for n, (lead, at, kind, data) in enumerate(facts, 1)
    ]
    assert imported(company.dsn, write(directory, text(rows))).returncode == 0


def assigned(lead: str, at: datetime) -> list[tuple[str, datetime, str, dict[str, str]]]:
    return [
        (lead, at, "LeadCreated", {"channel": "官网"}),
        (lead, at, "OwnerAssigned", {"owner": "chen"}),
    ]


async def by_rules(company: Living, kind: str, rules: Any) -> None:
    """Bring rules into force."""
    stream = policy.policy_id(kind)
    known = await company.own.log.load(stream)
    versions = reduce(policy.evolve, known, policy.initial(stream))
    new = policy.activate(versions, now=company.clock.now(), rules=rules)
    await company.append(stream, len(known), *new)
    await company.own.registry.latest()


def lead_of(company: Living) -> UUID:
    """The only lead of the log."""
    with psycopg.connect(company.dsn) as conn:
        query = "SELECT originator_id FROM log.leadlog_events WHERE topic = 'lead.captured'"
        [(lead,)] = conn.execute(query).fetchall()
    assert isinstance(lead, UUID)
    return lead


def deadlines(company: Living) -> Deadlines:
    """Another holder of the lease."""
    return Deadlines(company.own.leads, company.own.due_leads, company.clock)


async def look(company: Living, process: Deadlines) -> None:
    """A step, on read models that know everything."""
    await anyio.to_thread.run_sync(catch_up, company.dsn)
    await process.step()


async def test_an_import_starts_what_rings_in_the_future(company: Living, tmp_path: Path) -> None:
    """Assigned an hour ago: due in 23. Assigned long ago: nothing, not even a breach."""
    facts = [
        ("new", NOW - 2 * HOUR, "LeadCreated", {"channel": "官网"}),
        ("new", NOW - HOUR, "OwnerAssigned", {"owner": "chen"}),
        ("old", NOW - 40 * DAY, "LeadCreated", {"channel": "官网"}),
        ("old", NOW - 40 * DAY, "OwnerAssigned", {"owner": "chen"}),
        ("met", NOW - 2 * HOUR, "LeadCreated", {"channel": "官网"}),
        ("met", NOW - 2 * HOUR, "OwnerAssigned", {"owner": "chen"}),
        ("met", NOW - HOUR, "FirstContacted", {}),
        ("met", NOW - HOUR, "StatusChanged", {"to": "方案提交"}),
        ("won", NOW - 2 * HOUR, "LeadCreated", {"channel": "官网"}),
        ("won", NOW - 2 * HOUR, "OwnerAssigned", {"owner": "chen"}),
        ("won", NOW - HOUR, "LeadConverted", {"amount": "1"}),
    ]
    history(company, tmp_path, *facts)
    await company.until(NOW + HOUR)
    started = [
        ("met", "lead.task-scheduled", NOW - HOUR, NOW + 71 * HOUR),
        ("new", "lead.first-follow-up-task-issued", NOW - HOUR, NOW + 23 * HOUR),
    ]
    assert timed(company) == started
    await company.until(NOW + 10 * DAY)
    assert [(lead, topic, at) for lead, topic, at, _ in timed(company)] == [
        ("met", "lead.task-scheduled", NOW - HOUR),
        ("met", "lead.task-overdue", NOW + 71 * HOUR),
        ("new", "lead.first-follow-up-task-issued", NOW - HOUR),
        ("new", "lead.first-response-breached", NOW + 23 * HOUR),
        ("new", "lead.escalated-to-supervisor", NOW + 71 * HOUR),
    ]


async def test_what_was_started_once_is_started_by_no_worker_again(
    company: Living, tmp_path: Path
) -> None:
    """R53: the revisit that a contact has done stays done, whoever looks at the lead next."""
    revisited = [
        *assigned("met", NOW - 2 * HOUR),
        ("met", NOW - HOUR, "FirstContacted", {}),
        ("met", NOW - HOUR, "StatusChanged", {"to": "方案提交"}),
    ]
    history(company, tmp_path, *revisited)
    await company.until(NOW + HOUR)
    lead = lead_of(company)
    contact = RecordFollowUp(
        method="电话沟通", content="客户对产品A功能感兴趣,要求提供案例", next_step="发送方案"
    )
    await company.say(contact, lead, by="chen")
    for hours in (2, 3):
        await company.until(NOW + hours * HOUR)
    scheduled, done = (NOW - HOUR, NOW + HOUR)
    story = [("lead.task-scheduled", scheduled), ("lead.task-done", done)]
    assert company.history(lead, of="lead.task-") == story
    await company.say(ReleaseLead(pool="公海"), lead)
    await company.say(AssignLead(owner="li"), lead)
    await company.until(NOW + 4 * HOUR)
    assert company.history(lead, of="lead.task-") == story


async def test_a_lead_that_waits_for_nothing_is_asked_for_once(
    company: Living, tmp_path: Path
) -> None:
    """R38: what began clocks that have rung by now is not looked at again by the same worker."""
    history(company, tmp_path, *assigned("late", NOW - 2 * DAY), *assigned("new", NOW - HOUR))
    process = deadlines(company)
    await anyio.to_thread.run_sync(catch_up, company.dsn)
    assert await process.step() is True
    assert [row[0] for row in timed(company)] == ["new"]
    await anyio.to_thread.run_sync(catch_up, company.dsn)
    assert await process.step() is False
    _, waiting = await company.own.due_leads.unarmed(NOW - 60 * DAY, 0, 9)
    assert len(waiting) == 1


async def test_what_could_not_be_started_is_tried_again(
    company: Living,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """R38, A29: the calendar lacked working time; by a better one the import's clock runs."""
    monkeypatch.setattr(setbacks, "SHORTEST_SECONDS", 0.0)
    await by_rules(company, "response", Response(unrated_hours=8000, clock="working"))
    await by_rules(company, "calendar", Calendar(intervals=("09:00-09:01",), weekdays=(1,)))
    history(company, tmp_path, *assigned("new", NOW - HOUR))
    process = deadlines(company)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await look(company, process)
    told = [line for line in caplog.messages if str(lead_of(company)) in line]
    assert len(told) == 1 and "lacks working time" in told[0]
    assert timed(company) == []
    await by_rules(company, "calendar", Calendar())
    await look(company, process)
    assert [topic for _, topic, *_ in timed(company)] == ["lead.first-follow-up-task-issued"]


@pytest.mark.parametrize(("clock", "days"), [("wall", 80), ("working", 300)])
async def test_a_long_limit_reaches_far_back(
    company: Living, tmp_path: Path, clock: Any, days: int
) -> None:
    """R38, A29: 2000 hours, of every day or of work, run since an assignment so long ago."""
    rules = Response(unrated_hours=2000, escalate_after_hours=2000, clock=clock)
    await by_rules(company, "response", rules)
    began = NOW - days * DAY
    history(company, tmp_path, *assigned("old", began))
    await company.until(NOW + HOUR)
    [(_, topic, since, due_at)] = timed(company)
    assert (topic, since) == ("lead.first-follow-up-task-issued", began)
    assert due_at is not None and due_at > NOW


async def test_a_lead_that_rings_for_nothing_is_named_and_holds_up_no_other(
    company: Living, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """R38, R40: a read model that is wrong is told of once, not passed over for ever."""
    monkeypatch.setattr(setbacks, "SHORTEST_SECONDS", 0.0)
    lead = await company.capture()
    await company.say(AssignLead(owner="chen"), lead)
    await anyio.to_thread.run_sync(catch_up, company.dsn)
    with psycopg.connect(company.dsn) as conn:
        schema = conn.execute(
            "SELECT 'p_tasks_' || generation FROM projection.builds"
            " WHERE name = 'tasks' AND state = 'live'"
        ).fetchone()
        assert schema
        wrong = sql.SQL("UPDATE {} SET rings_at = %s WHERE rings_at IS NOT NULL")
        conn.execute(wrong.format(sql.Identifier(schema[0], "tasks")), (NOW - HOUR,))
    process = deadlines(company)
    with caplog.at_level(logging.WARNING):
        for _ in range(6):
            await process.step()
    assert [str(lead) in line for line in caplog.messages] == [True]


async def test_an_escalation_that_is_past_is_not_made_up_for(
    company: Living, tmp_path: Path
) -> None:
    """A11, architecture 5: where the supervisor is told before the task is due."""
    await by_rules(company, "response", Response(low_hours=96, unrated_hours=96))
    history(company, tmp_path, *assigned("a", NOW - 80 * HOUR))
    await company.until(NOW + 30 * DAY)
    assert [(topic, at) for _, topic, at, _ in timed(company)] == [
        ("lead.first-follow-up-task-issued", NOW - 80 * HOUR),
        ("lead.first-response-breached", NOW + 16 * HOUR),
    ]


async def test_a_contact_of_the_import_did_what_its_stage_asked_for(
    company: Living, tmp_path: Path
) -> None:
    """R53: the proposal was revisited before the lead came here."""
    proposed = ("a", NOW - 20 * HOUR, "StatusChanged", {"to": "方案提交"})
    revisited = ("a", NOW - 2 * HOUR, "FirstContacted", {})
    history(company, tmp_path, *assigned("a", NOW - DAY), proposed, revisited)
    await company.until(NOW + 30 * DAY)
    assert timed(company) == []
