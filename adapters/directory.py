"""The company as the command line changes and reads it: people, teams, policies, by events."""

import asyncio
import getpass
import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from adapters.clock import clock_of
from adapters.holiday_calendar import PublicHolidays
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.lead_queries import history
from adapters.postgres.register import PostgresRegistry, read_register
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.postgres.workloads import PostgresWorkloads
from adapters.settings import Settings
from adapters.tokens import TokenStore
from aggregates.event import Recorded
from commands.caller import Caller
from commands.company.wiring import Subject
from commands.directory import DirectoryCommands, Leavers, Request
from commands.fields import Command
from commands.hand_over import HandOvers
from commands.lead_loop import LeadLoop
from commands.register import Register

# The kind of clock that the database runs by, the company's zone, and where the clock stands.
FACTS = (
    "SELECT (SELECT value FROM log.company WHERE name = 'clock'),"
    " (SELECT value FROM log.company WHERE name = 'timezone'),"
    " greatest((SELECT value FROM log.company WHERE name = 'clock_at')::timestamptz,"
    " (SELECT recorded_at FROM log.leadlog_events ORDER BY notification_id DESC LIMIT 1))"
)


def operator() -> str:
    """The actor of a command line: who runs it."""
    return f"operator:{getpass.getuser()}"


def carry_out(dsn: str, command: Command, subject: Subject) -> Any:
    """The state of the subject after a command on it. Refusal or Unavailable otherwise."""
    return asyncio.run(_carry_out(dsn, command, subject))


def register(dsn: str) -> Register:
    """The company as it is now."""
    with connect(dsn) as conn:
        return read_register(conn)


def recorded(dsn: str, stream: UUID) -> Sequence[Recorded]:
    """A stream's events."""
    with connect(dsn) as conn:
        return history(conn, stream)[1]


async def _carry_out(dsn: str, command: Command, subject: Subject) -> Any:
    with connect(dsn) as conn:
        row = conn.execute(FACTS).fetchone()
    assert row
    kind, zone, last = row
    clock = clock_of(kind or "real", last)
    log = PostgresEventLog(dsn, simulated_now=clock.now if kind == "simulated" else None)
    registry, tokens, workloads = PostgresRegistry(dsn), TokenStore(dsn), PostgresWorkloads(dsn)

    async def open_leads(person: str) -> int:
        await asyncio.to_thread(catch_up, dsn, ["workload"])  # no worker need be running
        return await workloads.open_leads(person)

    async def in_pools() -> Mapping[str, int]:
        await asyncio.to_thread(catch_up, dsn, ["workload"])
        return await workloads.in_pools()

    company_zone = ZoneInfo(zone or Settings().timezone)
    holidays = PublicHolidays()
    loop = LeadLoop(log, registry, clock, company_zone, holidays)
    hand_overs = HandOvers(loop, registry, workloads, clock, company_zone)
    leavers = Leavers(open_leads, in_pools, tokens.revoke, hand_overs)
    key = secrets.token_bytes(32)  # nothing here is repeatable, so nobody compares fingerprints
    commands = DirectoryCommands(log, registry, clock, key, leavers, holidays)
    try:
        reply = await commands.execute(command, subject, Request(Caller(operator())))
    finally:
        for connected in (log, registry, tokens, workloads):
            await connected.close()
    return reply.state
