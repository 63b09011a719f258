"""The write side on one database: its log, its registry, and the loop of leads, made in one place.

Who needs it opens it here: the service, the processes, imports, the simulated company.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from adapters.company import Company
from adapters.holiday_calendar import PublicHolidays
from adapters.postgres.due_leads import PostgresDueLeads
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.register import PostgresRegistry
from adapters.postgres.workloads import PostgresWorkloads
from commands.lead_loop import LeadLoop
from commands.leads import LeadCommands
from commands.ports import Clock


@dataclass(frozen=True, slots=True)
class WriteSide:
    """What decisions are made and recorded with. Connections are made when they are needed."""

    log: PostgresEventLog
    registry: PostgresRegistry
    workloads: PostgresWorkloads
    due_leads: PostgresDueLeads
    clock: Clock
    zone: ZoneInfo
    leads: LeadLoop
    commands: LeadCommands


def open_write_side(
    dsn: str, company: Company, stack: AsyncExitStack, clock: Clock | None = None
) -> WriteSide:
    """The write side, closed with `stack`; `clock` stands in for the company's."""
    clock = clock or company.clock()
    simulated_now = clock.now if company.clock_kind == "simulated" else None
    log = PostgresEventLog(dsn, simulated_now=simulated_now)
    registry, workloads = PostgresRegistry(dsn), PostgresWorkloads(dsn)
    due_leads = PostgresDueLeads(dsn)
    for resource in (log, registry, workloads, due_leads):
        stack.push_async_callback(resource.close)
    leads = LeadLoop(log, registry, clock, company.zone, PublicHolidays())
    commands = LeadCommands(
        leads, log, registry, clock, company.zone, company.ledger_key, workloads
    )
    return WriteSide(log, registry, workloads, due_leads, clock, company.zone, leads, commands)
