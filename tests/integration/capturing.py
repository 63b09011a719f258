"""A process that captures leads as a service does, at once with others."""

import asyncio
import json
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from uuid import uuid4

from adapters.company import open_company
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.register import PostgresRegistry
from adapters.settings import Settings
from commands.caller import Caller
from commands.lead.entry import CaptureLead
from commands.lead_loop import LeadLoop
from commands.leads import LeadCommands


def capture_into(file: Path, at_once: Barrier, *arguments: Any) -> None:
    """Write down what became of each lead, as JSON."""
    file.write_text(json.dumps(asyncio.run(_capture(at_once, *arguments))))


async def _capture(
    at_once: Barrier, dsn: str, name: str, count: int, phone: str, customer: str
) -> list[dict[str, Any]]:
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
    await asyncio.to_thread(at_once.wait, 60)
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
    return [
        {"id": str(lead.id), "code": lead.code, "suspects": [str(other) for other in lead.suspects]}
        for lead in (reply.state for reply in replies)
    ]
