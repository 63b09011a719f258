"""Fills a database with the simulated company, once.

What is to be simulated is written into the database before the first event. So a run that was
killed is taken up where it stopped, with the same company and the same end of its time.
"""

from collections.abc import Callable
from datetime import datetime

import msgspec
import psycopg
import uvloop

from adapters.company import Company
from adapters.demo.drive import drive
from adapters.demo.plan import plan

FACT = "demo"
FIND = "SELECT value FROM log.company WHERE name = %s"
ANY_EVENT = "SELECT EXISTS (SELECT FROM log.leadlog_events)"
KEEP = (
    "INSERT INTO log.company (name, value) VALUES (%s, %s)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


class Demo(msgspec.Struct, frozen=True):
    """Which company is simulated, over which time; `filled` = its log is complete."""

    seed: int
    leads: int
    start: datetime
    end: datetime
    filled: bool = False


def find_demo(dsn: str) -> tuple[Demo | None, bool]:
    """The demo that a migrated database is for, if it is; and whether it has any event."""
    with psycopg.connect(dsn) as conn:
        row = conn.execute(FIND, (FACT,)).fetchone()
        (any_event,) = conn.execute(ANY_EVENT).fetchone() or (False,)
    return (msgspec.json.decode(row[0], type=Demo) if row else None), any_event


def fill(
    dsn: str,
    company: Company,
    demo: Demo,
    planned: Callable[[int], None],
    progress: Callable[[int], None],
) -> None:
    """Live the demo's time through; tells how many commands are planned, then how many are done."""
    _keep(dsn, demo)
    steps = plan(demo.seed, demo.leads, demo.start, demo.end, company.zone)
    planned(len(steps))
    uvloop.run(drive(dsn, company, steps, progress))
    _keep(dsn, msgspec.structs.replace(demo, filled=True))


def _keep(dsn: str, demo: Demo) -> None:
    with psycopg.connect(dsn) as conn:
        conn.execute(KEEP, (FACT, msgspec.json.encode(demo).decode()))
