"""A process that captures leads as a service does: `python -m tests.integration.capturing`.

It says "ready", waits for a line, captures, and prints what became of each lead as JSON.
"""

import asyncio
import json
import sys
from uuid import uuid4

from adapters.company import open_company
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.register import PostgresRegistry
from adapters.settings import Settings
from commands.caller import Caller
from commands.lead.entry import CaptureLead
from commands.lead_loop import LeadLoop
from commands.leads import LeadCommands


async def capture(dsn: str, name: str, count: int, phone: str, customer: str) -> None:
    """Capture so many leads at once; `phone` is "", a whole number, or the beginning of all.

    `customer` is that of all, or "".
    """
    company = open_company(dsn, Settings(allow_unsafe_postgres=True))
    log, registry = PostgresEventLog(dsn), PostgresRegistry(dsn)
    commands = LeadCommands(
        LeadLoop(log, registry, company.clock(), company.zone),
        log,
        registry,
        company.clock(),
        company.zone,
        company.ledger_key,
    )
    await log.find(uuid4())  # connects
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    replies = await asyncio.gather(
        *(
            commands.execute(
                CaptureLead(
                    customer=customer or f"{name}{n}", phone=phone and f"{phone}{n:04d}"[:11]
                ),
                lead=None,
                caller=Caller(f"process:{name}"),
            )
            for n in range(count)
        )
    )
    await log.close()
    await registry.close()
    for lead in (reply.state for reply in replies):
        suspects = [str(other) for other in lead.suspects]
        print(json.dumps({"id": str(lead.id), "code": lead.code, "suspects": suspects}))


if __name__ == "__main__":
    dsn, name, count, phone, customer = sys.argv[1:]
    asyncio.run(capture(dsn, name, int(count), phone, customer))
