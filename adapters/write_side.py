"""The write side on one database: its log, its registry, and the loop of leads, made in one place.

Who needs it opens it here: the service, the processes, imports, the command line. Only the
simulated company does not, for it gives every command an instant of its own.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from adapters.company import Company
from adapters.holiday_calendar import PublicHolidays
from adapters.postgres.due_leads import PostgresDueLeads
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.register import PostgresRegistry
from adapters.postgres.reviewing import PostgresReviewing
from adapters.postgres.workloads import PostgresWorkloads
from commands.lead_loop import LeadLoop
from commands.leads import LeadCommands
from commands.ports import Clock, EventLog
from commands.rehearsal import Rehearsal


@dataclass(frozen=True, slots=True)
class WriteSide:
    """What decisions are made and recorded with. Connections are made when they are needed."""

    log: EventLog
    registry: PostgresRegistry
    workloads: PostgresWorkloads
    due_leads: PostgresDueLeads
    reviewing: PostgresReviewing
    outbox: PostgresOutbox
    clock: Clock
    zone: ZoneInfo
    leads: LeadLoop
    commands: LeadCommands


def open_write_side(
    dsn: str,
    company: Company,
    stack: AsyncExitStack,
    clock: Clock | None = None,
    *,
    rehearse: bool = False,
) -> WriteSide:
    """The write side, closed with `stack`; `clock` stands in for the company's. To `rehearse` is to
    decide as always and to record nothing.
    """
    clock = clock or company.clock()
    simulated_now = clock.now if company.clock_kind == "simulated" else None
    kept = PostgresEventLog(dsn, simulated_now=simulated_now)
    log = Rehearsal(kept) if rehearse else kept
    registry, workloads = PostgresRegistry(dsn), PostgresWorkloads(dsn)
    due_leads, reviewing = PostgresDueLeads(dsn), PostgresReviewing(dsn)
    outbox = PostgresOutbox(dsn)
    for resource in (kept, registry, workloads, due_leads, reviewing, outbox):
        stack.push_async_callback(resource.close)
    leads = LeadLoop(log, registry, clock, company.zone, PublicHolidays())
    commands = LeadCommands(
        leads, log, registry, clock, company.zone, company.ledger_key, workloads
    )
    reads = (workloads, due_leads, reviewing, outbox)
    return WriteSide(log, registry, *reads, clock, company.zone, leads, commands)
