"""The company as the command line changes and reads it: people, teams, policies, by events."""

import asyncio
import getpass
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from adapters.company import Company
from adapters.holiday_calendar import PublicHolidays
from adapters.postgres.lead_queries import history
from adapters.postgres.register import read_register
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.settings import Settings
from adapters.tokens import TokenStore
from adapters.write_side import open_write_side
from aggregates.event import Recorded
from commands.caller import Caller
from commands.company.wiring import Subject
from commands.directory import DirectoryCommands, Leavers, Request
from commands.fields import Command
from commands.hand_over import HandOvers
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
    settings = Settings()
    company = Company(
        zone=ZoneInfo(zone or settings.timezone),
        currency=settings.currency,
        clock_kind=kind or "real",
        # Nothing here is repeatable, so nobody compares fingerprints.
        ledger_key=secrets.token_bytes(32),
        last_recorded_at=last,
    )
    async with AsyncExitStack() as stack:
        own = open_write_side(dsn, company, stack)
        tokens = TokenStore(dsn)
        stack.push_async_callback(tokens.close)

        async def open_leads(person: str) -> int:
            await asyncio.to_thread(catch_up, dsn, ["workload"])  # no worker need be running
            return await own.workloads.open_leads(person)

        async def in_pools() -> Mapping[str, int]:
            await asyncio.to_thread(catch_up, dsn, ["workload"])
            return await own.workloads.in_pools()

        hand_overs = HandOvers(own.leads, own.registry, own.workloads, own.clock, own.zone)
        leavers = Leavers(open_leads, in_pools, tokens.end, hand_overs)
        parts = (own.log, own.registry, own.clock, company.ledger_key, leavers, PublicHolidays())
        reply = await DirectoryCommands(*parts).execute(
            command, subject, Request(Caller(operator()))
        )
    return reply.state
