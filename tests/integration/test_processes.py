"""The processes of a worker: each under a lease of its own, and none held up by another."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import psycopg
import pytest

from adapters.company import open_company
from adapters.postgres.processes import Duty, run_forever
from adapters.write_side import WriteSide
from commands.ports import Unavailable
from tests.integration.assigning import SETTINGS

PATIENCE = 30.0


class Counting:
    """A process that has nothing to do; every look counts. With `error` the look ends in it."""

    def __init__(self, error: Exception | None = None, *, follows_events: bool = True) -> None:
        self.steps, self.made, self._error = 0, 0, error
        self.duty = Duty((), self._make, follows_events)

    def _make(self, _: WriteSide, __: int) -> "Counting":
        self.made += 1
        return self

    async def step(self) -> bool:
        self.steps += 1
        if self._error:
            raise self._error
        return False

    async def next_at(self) -> datetime | None:
        return None


class Worker:
    """A worker with processes of the test's own, in a thread of this process."""

    def __init__(self, dsn: str, processes: Mapping[str, Counting]) -> None:
        self._stop, self._pool = threading.Event(), ThreadPoolExecutor(1)
        duties = {name: process.duty for name, process in processes.items()}
        company = open_company(dsn, SETTINGS)
        self._running = self._pool.submit(run_forever, dsn, company, self._stop, duties)

    def end(self, *, told: bool = True) -> None:
        """Wait for its end, and raise what it ended with."""
        if told:
            self._stop.set()
        self._pool.shutdown()
        self._running.result(PATIENCE)


def until_steps(process: Counting, number: int) -> None:
    end = time.monotonic() + PATIENCE
    while process.steps < number:
        assert time.monotonic() < end, process.steps
        time.sleep(0.01)


@pytest.mark.parametrize(
    "error", [Unavailable("not there yet"), psycopg.OperationalError("lost")], ids=repr
)
def test_one_that_fails_begins_again_and_stops_no_other(dsn: str, error: Exception) -> None:
    """R41: what is due is recorded though the assignment finds no database, and the reverse."""
    failing, working = Counting(error), Counting()
    worker = Worker(dsn, {"failing": failing, "working": working})
    until_steps(failing, 3)
    until_steps(working, working.steps + 3)
    worker.end()
    assert failing.made == failing.steps
    assert working.made == 1


def test_an_error_nobody_expects_ends_the_worker(dsn: str) -> None:
    worker = Worker(dsn, {"broken": Counting(ValueError("a defect")), "working": Counting()})
    with pytest.raises(ValueError, match="a defect"):
        worker.end(told=False)


def test_a_process_is_leased_by_one_worker_and_free_when_that_is_gone(dsn: str) -> None:
    """P5: of two workers one looks after a process; another takes it over within seconds."""
    here, there, other = Counting(), Counting(), Counting()
    first = Worker(dsn, {"one": here})
    until_steps(here, 1)
    second = Worker(dsn, {"one": there, "another": other})
    until_steps(other, 3)
    assert there.made == 0
    first.end()
    until_steps(there, 1)
    second.end()
    assert here.made == there.made == 1


def test_events_wake_only_those_that_follow_them(dsn: str) -> None:
    """A burst of commits is no burst of looks for those whose work comes with time."""
    following, timed = Counting(), Counting(follows_events=False)
    worker = Worker(dsn, {"following": following, "timed": timed})
    until_steps(following, 1)
    until_steps(timed, 1)
    with psycopg.connect(dsn, autocommit=True) as conn:
        looks = following.steps
        while following.steps < looks + 100:
            conn.execute("NOTIFY leadlog_events")
            time.sleep(0.002)
    assert timed.steps < 50
    until_steps(timed, timed.steps + 1)
    worker.end()
