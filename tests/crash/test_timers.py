"""Workers killed while clocks ring: each clock rings once, none early, none is lost (T6, P5)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from random import Random
from typing import Any

import psycopg
import pytest

from adapters.company import keep_clock
from adapters.postgres.runner import catch_up
from tests.checker import check
from tests.checker_schedule import WALL
from tests.checker_time import check_time
from tests.integration.assigning import worker_process
from tests.integration.living import Living, living
from tests.integration.time_commands import ZONE, a_lead, work_on
from tests.seed import SEED
from tests.size import size

pytestmark = pytest.mark.anyio

START = datetime(2024, 4, 29, 9, 15, tzinfo=ZONE)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
PATIENCE = size(120, 7_200)
AT_ONCE = 20
LAST = "SELECT notification_id, recorded_at FROM log.leadlog_events ORDER BY 1 DESC LIMIT 1"
TASKS = (
    "SELECT 'p_tasks_' || generation, position FROM projection.builds"
    " WHERE name = 'tasks' AND state = 'live'"
)
MESSAGES = (
    "SELECT 'p_notifications_' || generation FROM projection.builds WHERE name = 'notifications'"
)
TOLD = (
    "SELECT subject, kind, recipient FROM {}.notifications"
    " WHERE kind IN ('first-response-late', 'escalated', 'late-reason') ORDER BY 1, 2, 3"
)
CALLED_FOR = (
    "WITH said AS (SELECT originator_id AS lead, topic, convert_from(state, 'UTF8')::jsonb AS data"
    " FROM log.leadlog_events WHERE topic IN"
    " ('lead.first-response-breached', 'lead.escalated-to-supervisor'))"
    " SELECT lead, CASE WHEN topic LIKE '%breached' THEN 'first-response-late'"
    " ELSE 'late-reason' END, data ->> 'owner' FROM said"
    " UNION ALL SELECT lead, 'escalated', jsonb_array_elements_text(data -> 'supervisors')"
    " FROM said WHERE topic LIKE '%supervisor' ORDER BY 1, 2, 3"
)
RINGING = "SELECT count(*) FROM {}.tasks WHERE rings_at <= %s"

LEADS, ROUNDS = size(300, 100_000), size(2, 10)
ASSIGNMENTS = size(400, 10_000)
SPELL = ASSIGNMENTS / 5_000
"""Seconds that a worker has at the most, once it has begun."""


class Scene:
    """The company's log and two real workers on it, one of which is killed now and then."""

    def __init__(self, here: Living, stack: ExitStack, rng: Random) -> None:
        self._here, self._stack, self._rng = here, stack, rng
        self._conn = stack.enter_context(psycopg.connect(here.dsn, autocommit=True))
        self._workers = [self._start(), self._start()]

    def head(self) -> tuple[int, datetime]:
        """The log's last position, and when it was recorded."""
        row = self._conn.execute(LAST).fetchone()
        assert row
        return row

    def kill_both(self) -> None:
        """Nobody is left whose clock stands elsewhere."""
        self.kill(0)
        self.kill(0)

    def kill(self, which: int | None = None) -> None:
        """SIGKILL to one of the workers; another one begins, at the clock as it is kept."""
        killed = self._workers.pop(self._rng.randrange(2) if which is None else which)
        killed.kill()
        killed.wait()
        self._workers.append(self._start())

    def move_clock(self, by: timedelta) -> None:
        """Ahead of all that was recorded: workers run on from there."""
        clock = self._here.clock
        clock.move_to(max(clock.now(), self.head()[1]) + by)

    async def grows(self, until: datetime) -> bool:
        """Wait until something is recorded; False when nothing is left to be."""
        before = self.head()[0]
        await _until(lambda: self.head()[0] > before or self._rests(until))
        return self.head()[0] > before

    async def at_rest(self, until: datetime) -> None:
        """Until nothing of what is due rings any more."""
        await _until(lambda: self._rests(until))

    def _rests(self, until: datetime) -> bool:
        row = self._conn.execute(TASKS).fetchone()
        if row is None or row[1] < self.head()[0]:
            return False
        return self._conn.execute(RINGING.format(row[0]), (until,)).fetchone() == (0,)

    def _start(self) -> Any:
        return self._stack.enter_context(worker_process(self._here.dsn))


async def test_every_clock_rings_once_whatever_is_killed_and_cancelled(dsn: str) -> None:
    """Cancelled, re-armed, moved by commands and jumps of the clock while workers are killed."""
    rng = _rng()
    async with living(dsn, START) as here:
        with ExitStack() as stack:
            catch_up(dsn)
            leads = [lead for _ in range(LEADS // AT_ONCE) for lead in await _some(here, rng)]
            scene = Scene(here, stack, rng)
            for _ in range(ROUNDS):
                for _ in range(LEADS // AT_ONCE):
                    scene.move_clock(MINUTE * rng.randrange(1, 20))
                    await _together(lambda: work_on(here, rng, leads))
                scene.move_clock(DAY * rng.uniform(0, 3))
                keep_clock(dsn, here.clock.now())
                for _ in range(2):
                    scene.kill()
                    await asyncio.sleep(rng.uniform(0, 1.5))
            end = here.clock.now() + 120 * DAY
            keep_clock(dsn, end)
            scene.kill_both()
            await scene.at_rest(end)
    catch_up(dsn)
    assert check_time(dsn, WALL, end) == []
    assert check(dsn) == []


async def _some(here: Living, rng: Random) -> list[Any]:
    here.clock.move_to(here.clock.now() + MINUTE * rng.randrange(20))
    return await _together(lambda: a_lead(here, rng, owned=1.0))  # workers' clocks lag behind


async def test_a_worker_killed_every_second_loses_and_doubles_no_escalation(dsn: str) -> None:
    """R38, R40, R41, R104-R106: all is due at once; one breach, escalation and message each."""
    rng = _rng()
    async with living(dsn, START) as here:
        catch_up(dsn)
        for _ in range(ASSIGNMENTS // AT_ONCE):
            await _some(here, rng)
        catch_up(dsn)
        end = here.clock.now() + 4 * DAY
        keep_clock(dsn, end)
        with ExitStack() as stack:
            scene = Scene(here, stack, rng)
            kills = 0
            while await scene.grows(end):
                await asyncio.sleep(rng.uniform(0, SPELL))
                scene.kill()
                kills += 1
            print(f"{kills} kills")
    catch_up(dsn)
    assert check_time(dsn, WALL, end) == []
    assert check(dsn) == []
    with psycopg.connect(dsn) as conn:
        [[schema]] = conn.execute(MESSAGES).fetchall()
        told = conn.execute(TOLD.format(schema)).fetchall()
        assert told == conn.execute(CALLED_FOR).fetchall() != []


async def _together(do: Callable[[], Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*(do() for _ in range(AT_ONCE)))


async def _until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end, "the workers do not get on"
        await asyncio.sleep(0.05)


def _rng() -> Random:
    print(f"SEED={SEED}")
    return Random(SEED)
