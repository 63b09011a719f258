"""`leadlog timers`: what rings next, and a simulated clock that goes from instant to instant.

Decision 3: no clock but a simulated one is moved, and never while a worker moves on.
"""

import json
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import anyio
import psycopg
import pytest
from psycopg import sql

from adapters import simulated
from adapters.company import open_company
from adapters.postgres import leases
from adapters.settings import StartupError
from aggregates.directory.events import AbsenceNoted
from aggregates.directory.state import person_id
from aggregates.event import Meta
from commands.lead.outcome import PauseLead
from commands.lead.ownership import AssignLead
from commands.ports import NewEvents
from processes.deadlines import PAGE
from tests.integration.assigning import worker_process
from tests.integration.living import SETTINGS, Living, living
from tests.integration.program import Program
from tests.integration.test_serve import serving

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2024, 5, 1, 9, 15, tzinfo=ZONE)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BREACHED, ESCALATED = "lead.first-response-breached", "lead.escalated-to-supervisor"
HOLDERS = (
    "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
    " WHERE locktype = 'advisory' AND classid = 7220504 AND d.datname = current_database()"
)


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Living]:
    async with living(dsn, START) as company:
        yield company


@pytest.fixture
def leadlog(dsn: str) -> Program:
    return Program(dsn)


async def assigned(company: Living, **given: Any) -> Any:
    lead = await company.capture(**given)
    await company.say(AssignLead(owner="chen"), lead)
    return lead


def ringing(leadlog: Program, *options: str) -> list[tuple[str, str, str]]:
    timers = json.loads(leadlog("timers", "list", "--format", "json", *options))["timers"]
    return [(timer["rings_at"], timer["name"], timer["owner"]) for timer in timers]


async def test_what_rings_is_listed_in_order(company: Living, leadlog: Program) -> None:
    """R38, R40, R107: in the company's zone; TIME itself is within; a paused lead only resumes."""
    for level in ("low", "high"):
        await assigned(company, level=level)
    paused = await assigned(company)
    await company.say(PauseLead(reason="客户预算", resume_at=START + 2 * DAY), paused)
    high, pause = "2024-05-02T09:15:00+08:00", "2024-05-03T09:15:00+08:00"
    low = "2024-05-04T09:15:00+08:00"
    rings = [
        (high, "first-follow-up", "chen"),
        (pause, "pause", "chen"),
        (low, "escalation", "chen"),
        (low, "escalation", "chen"),
        (low, "first-follow-up", "chen"),
    ]
    assert sorted(ringing(leadlog)) == rings
    assert [at for at, *_ in ringing(leadlog)] == [high, pause, low, low, low]
    assert ringing(leadlog, "--limit", "1") == rings[:1]
    assert ringing(leadlog, "--until", "2024-05-02T09:15") == rings[:1]
    assert ringing(leadlog, "--until", "2024-05-02T01:14:59Z") == []
    table = leadlog("timers", "list")
    assert [line.split()[1] for line in table.splitlines() if high in line or pause in line] != []
    assert "XLSH20240501" in table and "first-follow-up" in table


async def test_the_clock_goes_from_instant_to_instant(company: Living, leadlog: Program) -> None:
    """P5, R40: what is due happens when it is due; the next run goes on where the clock stands."""
    lead = await assigned(company)
    said = leadlog("timers", "run", "--until", "2024-05-02 09:14:59")
    assert said == "the clock stands at 2024-05-02T09:14:59+08:00; something was due at 0 times\n"
    assert "0 times" in leadlog("timers", "run", "--until", "2024-05-02T01:14:59Z")
    assert "1 times" in leadlog("timers", "run", "--until", "2024-05-02 09:15")
    rung = [fact for fact in company.history(lead) if fact[0] in (BREACHED, ESCALATED)]
    assert rung == [(BREACHED, START + DAY)]
    leadlog("timers", "run", "--until", "2024-05-30")
    rung = [fact for fact in company.history(lead) if fact[0] in (BREACHED, ESCALATED)]
    assert rung == [(BREACHED, START + DAY), (ESCALATED, START + 3 * DAY)]
    assert open_company(company.dsn, SETTINGS).clock().now() >= datetime(2024, 5, 30, tzinfo=ZONE)
    leadlog("users", "add", "zhao", "--role", "sales")
    [(_, added_at)] = company.history(person_id("zhao"), of="")
    assert datetime(2024, 5, 30, tzinfo=ZONE) <= added_at < datetime(2024, 5, 30, 1, tzinfo=ZONE)
    leadlog("timers", "run", "--until", "2024-05-29", refused="time never goes back")
    leadlog("timers", "run", "--until", "tomorrow", refused="--until: tomorrow is not a time")


async def test_a_crowd_rings_at_one_instant(company: Living) -> None:
    """P5: more leads at once than a step takes; each breach once, at its instant."""
    leads = [await assigned(company) for _ in range(PAGE + 8)]
    assert await company.until(START + DAY) == [START + DAY]
    histories = [company.history(lead) for lead in leads]
    assert all(history.count((BREACHED, START + DAY)) == 1 for history in histories)


async def test_who_is_back_gets_what_waited_at_midnight(company: Living) -> None:
    """A13: the day itself is an instant, though no deadline falls upon it."""
    for name in ("chen", "li", "wang"):
        away = AbsenceNoted(
            occurred_at=START, name=name, since=START.date(), until=date(2024, 5, 3)
        )
        version = len(await company.own.log.load(person_id(name)))
        meta = Meta("process:test", uuid4())
        await company.own.log.append(NewEvents(person_id(name), version, [away], meta, b""))
    lead = await company.capture()
    await company.until(START + 10 * DAY)
    owned = [at for topic, at in company.history(lead) if topic == "lead.assigned"]
    assert owned == [datetime(2024, 5, 4, tzinfo=ZONE)]


def test_real_time_is_moved_by_nobody(dsn: str, leadlog: Program) -> None:
    """Decision 3."""
    open_company(dsn, SETTINGS)
    leadlog("timers", "run", "--until", "2030-01-01", refused="lives in real time")
    assert ringing(leadlog) == []


async def test_two_do_not_move_one_clock(company: Living, leadlog: Program) -> None:
    """While a worker looks after the processes nobody moves its clock."""
    await assigned(company)
    with worker_process(company.dsn) as worker, psycopg.connect(company.dsn) as conn:
        while conn.execute(HOLDERS).fetchone() == (0,):
            assert worker.poll() is None
            await anyio.sleep(0.05)
        leadlog("timers", "run", "--until", "2024-05-30", refused="a worker runs on this database")
    leadlog("timers", "run", "--until", "2024-05-30")


async def test_nobody_moves_the_clock_of_a_service(
    company: Living, leadlog: Program, tmp_path: Path
) -> None:
    """Nor does a service start by a clock that is being moved: it would fall behind."""
    refused = "the service runs on this database"
    with (
        serving(company.dsn, tmp_path, "--no-worker"),
        serving(company.dsn, tmp_path, "--no-worker"),
    ):
        leadlog("timers", "run", "--until", "2024-05-30", refused=refused)
    leadlog("timers", "run", "--until", "2024-05-30")
    with psycopg.connect(company.dsn) as conn:
        conn.execute(leases.TAKE, (leases.CLOCK, "clock"))
        leadlog("serve", "--port", "0", refused="the clock of this database is being moved")


async def test_the_clock_waits_for_what_cannot_be_recorded(
    company: Living, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read model that is wrong about a lead stops the clock, in one line, instead of for ever."""
    lead = await assigned(company)
    await company.until(START + HOUR)
    with psycopg.connect(company.dsn) as conn:
        schema = conn.execute(
            "SELECT 'p_tasks_' || generation FROM projection.builds"
            " WHERE name = 'tasks' AND state = 'live'"
        ).fetchone()
        assert schema
        wrong = sql.SQL("UPDATE {} SET rings_at = %s WHERE lead = %s AND rings_at IS NOT NULL")
        conn.execute(wrong.format(sql.Identifier(schema[0], "tasks")), (START + 2 * HOUR, lead))
    monkeypatch.setattr(simulated, "PATIENCE_SECONDS", 1.5)
    with pytest.raises(StartupError, match="the clock stays at 2024-05-01T11:15:00"):
        await company.until(START + DAY)
