"""A month of a company in simulated time, against an independently written schedule (P5).

It has a public holiday of five days, two make-up working days, a month's end and working hours.
"""

from datetime import datetime, timedelta
from random import Random

import psycopg
import pytest

from aggregates.lead.time_events import (
    EscalatedToSupervisor,
    FirstResponseBreached,
    InfoCompletionOverdue,
    TaskOverdue,
)
from aggregates.policy import activate as policy
from aggregates.policy.time import Response
from tests.checker_schedule import WALL, WORKING, Rules
from tests.checker_time import check_time
from tests.integration.living import Living, living
from tests.integration.time_commands import ZONE, a_lead, work_on
from tests.seed import SEED
from tests.size import size

pytestmark = pytest.mark.anyio

START, END = datetime(2024, 4, 15, tzinfo=ZONE), datetime(2024, 5, 16, tzinfo=ZONE)
RING = (FirstResponseBreached, EscalatedToSupervisor, InfoCompletionOverdue, TaskOverdue)
LEADS = size(80, 2_000)
RINGS = "SELECT DISTINCT topic FROM log.leadlog_events WHERE topic = ANY(%s)"


@pytest.mark.parametrize("rules", [WALL, WORKING], ids=["wall clock", "working hours"])
async def test_a_months_events_of_time_equal_the_schedule(dsn: str, rules: Rules) -> None:
    """R28, R38, R40, R53, R104-R108, A10, A26, A29: computed from the facts, calendar by hand."""
    print(f"SEED={SEED}")
    rng = Random(SEED)
    async with living(dsn, START) as here:
        if rules.working:
            await _keep_working_hours(here)
        leads = []
        instants = sorted(rng.choices(range(31 * 48), k=LEADS * 6))
        for number, half_hour in enumerate(instants):
            at = START + timedelta(minutes=30 * half_hour)
            if at - here.clock.now() > timedelta(hours=6):
                await here.until(at)
            here.clock.move_to(at)
            if not leads or number % 6 == 0:
                leads.append(await a_lead(here, rng))
            else:
                await work_on(here, rng, leads)
        await here.until(END)
    assert check_time(dsn, rules, END) == []
    with psycopg.connect(dsn) as conn:
        rang = conn.execute(RINGS, ([event.topic for event in RING],)).fetchall()
    assert len(rang) == len(RING), "the month is too quiet to show anything"


async def _keep_working_hours(here: Living) -> None:
    stream = policy.policy_id("response")
    new = policy.activate(
        policy.initial(stream), now=here.clock.now(), rules=Response(clock="working")
    )
    await here.record(stream, *new)
