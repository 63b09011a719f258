"""Periodic duties, each exactly once: repeated, by two at once, killed, or late: P5, R71, R100."""

import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import anyio
import psycopg
import pytest

from adapters.company import keep_clock, open_company
from adapters.postgres.processes import PROCESSES
from adapters.postgres.runner import catch_up
from adapters.write_side import open_write_side
from commands.lead.ownership import AssignLead
from commands.lead.work import RecordFollowUp
from processes import periodic
from processes.periodic import NAME
from tests.forked import leadlog
from tests.integration.living import SETTINGS, Living, living

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
START = datetime(2024, 2, 20, 9, tzinfo=ZONE)
MONTH_END = datetime(2024, 2, 29, tzinfo=ZONE)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LEADS = 300
EVENTS = (
    "SELECT originator_id, topic, convert_from(state, 'UTF8')::jsonb FROM log.leadlog_events"
    " WHERE topic = ANY (%s) ORDER BY notification_id"
)
MADE = ("lead.invalidation-proposed", "review.opened")


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Living]:
    async with living(dsn, START) as company:
        yield company


def events(dsn: str, *topics: str) -> list[tuple[UUID, str, dict[str, Any]]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(EVENTS, (list(topics),)).fetchall()


async def hopeless(company: Living, number: int = LEADS) -> set[UUID]:
    """Leads whose numbers are wrong."""
    leads: set[UUID] = set()

    async def one() -> None:
        lead = await company.capture()
        await company.say(AssignLead(owner="chen", team="east"), lead)
        for _ in range(2):
            await company.say(RecordFollowUp(outcome="wrong_number"), lead, by="chen")
        leads.add(lead)

    async with anyio.create_task_group() as group:
        for _ in range(number):
            group.start_soon(one)
    return leads


def require_once(dsn: str, leads: set[UUID]) -> None:
    """Every lead is proposed once for the month, every review is opened once and names them all."""
    made = events(dsn, *MADE)
    proposed = Counter(stream for stream, topic, _ in made if topic == MADE[0])
    assert proposed == dict.fromkeys(leads, 1)
    reviews = [state for _, topic, state in made if topic == MADE[1]]
    kinds = Counter((r["kind"], r.get("team"), r["since"]) for r in reviews)
    assert set(kinds.values()) == {1}
    (east,) = (r for r in reviews if r["kind"] == "clean-up" and r.get("team") == "east")
    assert {UUID(item["lead"]) for item in east["items"]} == leads
    (whole,) = (r for r in reviews if r["kind"] == "clean-up" and not r.get("team"))
    assert whole["total"] == 0


async def test_two_at_once_and_again_have_one_effect(company: Living, dsn: str) -> None:
    """R100, P5: two workers, and one that begins anew."""
    leads = await hopeless(company)
    await company.until(MONTH_END - timedelta(seconds=1))
    company.clock.move_to(MONTH_END)

    async def work() -> None:
        async with AsyncExitStack() as stack:
            facts = open_company(dsn, SETTINGS)
            own = open_write_side(dsn, facts, stack, company.clock)
            process = PROCESSES[NAME].make(own, 0)
            for _ in range(6):
                await anyio.to_thread.run_sync(catch_up, dsn)
                while await process.step():
                    pass

    async with anyio.create_task_group() as group:
        group.start_soon(work)
        group.start_soon(work)
    require_once(dsn, leads)
    before = events(dsn, *MADE)
    await work()
    assert events(dsn, *MADE) == before


async def test_a_killed_worker_leaves_nothing_out_and_doubles_nothing(
    company: Living, dsn: str
) -> None:
    """R100, P5: killed in the midst of its proposals, over and over, then run to the end."""
    leads = await hopeless(company)
    keep_clock(dsn, company.clock.now())
    left = await anyio.to_thread.run_sync(killed_often, dsn, MONTH_END + DAY)
    assert any(0 < number < len(leads) for number in left), left
    await company.until(MONTH_END + DAY + HOUR)
    require_once(dsn, leads)


def killed_often(dsn: str, until: datetime) -> list[int]:
    """Run to an instant and be killed on the way; the proposals that are there after each time."""
    left = [0]
    while left[-1] < LEADS and len(left) < 5:
        command = ["timers", "run", "--until", until.isoformat(), "--database", dsn]
        environment = os.environ | {"LEADLOG_ALLOW_UNSAFE_POSTGRES": "true"}
        with (
            psycopg.connect(dsn, autocommit=True) as conn,
            leadlog(*command, environment=environment) as program,
        ):
            conn.execute("LISTEN leadlog_events")
            while program.poll() is None and len(events(dsn, MADE[0])) == left[-1]:
                next(conn.notifies(timeout=0.5, stop_after=1), None)
            with conn.transaction():  # it gets no further meanwhile
                conn.execute("SELECT log.lock_for_append()")
                program.kill()
                program.wait()
        left.append(len(events(dsn, MADE[0])))
    return left


async def test_what_was_missed_is_made_up_for_within_bounds(company: Living, dsn: str) -> None:
    """R71, R109: after half a year without a worker the last four of each kind, in order."""
    (lead,) = await hopeless(company, 1)
    company.clock.move_to(datetime(2024, 9, 3, 12, tzinfo=ZONE))
    await company.until(datetime(2024, 9, 3, 13, tzinfo=ZONE))
    opened = [(s["kind"], s["since"]) for _, _, s in events(dsn, MADE[1]) if not s.get("team")]
    assert opened == [
        ("quarterly", "2024-01-01"),
        ("clean-up", "2024-05-01"),
        ("monthly", "2024-05-01"),
        ("clean-up", "2024-06-01"),
        ("monthly", "2024-06-01"),
        ("quarterly", "2024-04-01"),
        ("clean-up", "2024-07-01"),
        ("monthly", "2024-07-01"),
        ("weekly", "2024-08-05"),
        ("weekly", "2024-08-12"),
        ("weekly", "2024-08-19"),
        ("clean-up", "2024-08-01"),
        ("monthly", "2024-08-01"),
        ("weekly", "2024-08-26"),
    ]
    ((_, _, proposed),) = events(dsn, MADE[0])
    assert (proposed["month"], company.history(lead, of=MADE[0])) == (
        "2024-05",
        [(MADE[0], datetime(2024, 5, 31, tzinfo=ZONE))],
    )


async def test_a_week_has_what_rang_in_it_however_late_that_is_recorded(
    company: Living, dsn: str
) -> None:
    """R110, P5: after a standstill the clocks of the week are heard before it is reviewed."""
    lead = await company.capture()
    await company.say(AssignLead(owner="chen", team="east"), lead)
    company.clock.move_to(START + 10 * DAY)
    await company.until(START + 10 * DAY + HOUR)
    east, whole = (s for _, _, s in events(dsn, MADE[1]) if s["kind"] == "weekly")
    assert east["counts"] == {"late": 1, "escalated": 1}
    assert whole["total"] == 0


async def test_a_clock_that_nobody_can_hear_holds_up_no_review(
    company: Living, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R109: a duty waits for clocks of its period, but not for ever."""
    lead = await company.capture()
    await company.say(AssignLead(owner="chen", team="east"), lead)
    await anyio.to_thread.run_sync(catch_up, dsn)
    company.clock.move_to(START + 10 * DAY)  # and the sweep for deadlines does not run
    async with AsyncExitStack() as stack:
        own = open_write_side(dsn, open_company(dsn, SETTINGS), stack, company.clock)
        process = PROCESSES[NAME].make(own, 0)
        assert not await process.step()
        assert not await process.step()
        monkeypatch.setattr(periodic, "PATIENCE_SECONDS", -1.0)
        assert await process.step()
    assert [s["kind"] for _, _, s in events(dsn, MADE[1])] == ["weekly", "weekly"]


async def test_a_new_company_reviews_nothing_from_before_it_began(
    company: Living, dsn: str
) -> None:
    """R71: the first review is that of the week in which the first event was recorded."""
    assert await company.until(START + 4 * DAY) == []
    assert events(dsn, MADE[1]) == []
    await company.until(START + 6 * DAY)
    assert {(s["kind"], s["since"]) for _, _, s in events(dsn, MADE[1])} == {
        ("weekly", "2024-02-19")
    }
