"""The duty `webhooks` of a worker: a task for every webhook, so that none waits for another.

Leased like a process. NOTIFY is only a hint to look early.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import uvloop
from psycopg import AsyncConnection

from adapters.company import Company
from adapters.event_feed import PostgresFeed
from adapters.postgres import leases
from adapters.postgres.codec import EVENT_TYPES
from adapters.postgres.leases import Pauses
from adapters.postgres.webhook_store import PostgresWebhooks
from adapters.settings import Settings
from adapters.webhook_deliveries import Deliveries, Patience
from adapters.webhook_sender import sender_by
from adapters.write_side import open_write_side
from commands.ports import Unavailable
from commands.webhooks import Webhook, WebhookRecords

logger = logging.getLogger("leadlog.webhooks")

NAME = "process:webhooks"
STOP_SECONDS = 5.0
"""For what is under way when the worker ends."""
DEFECT, DEFECT_SECONDS = "a defect of leadlog: the worker's log has it", 60.0
Connection = AsyncConnection[tuple[Any, ...]]


def run_forever(dsn: str, company: Company, settings: Settings, stop: threading.Event) -> None:
    """Deliver until `stop` is set."""
    uvloop.run(_run(dsn, company, settings, stop))


async def _run(dsn: str, company: Company, settings: Settings, stop: threading.Event) -> None:
    pauses = Pauses()
    while not stop.is_set():
        pauses.begin()
        try:
            async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
                if await _leased(conn, stop):
                    await _spell(conn, dsn, company, settings, stop)
        except (psycopg.Error, Unavailable) as error:
            pause = pauses.next()
            logger.warning("webhooks: the database lets us down, in %.1f s again: %s", pause, error)
            await asyncio.sleep(pause)


async def _leased(conn: Connection, stop: threading.Event) -> bool:
    """Wait for the lease; False when it is time to stop."""
    while not stop.is_set():
        row = await (await conn.execute(leases.TAKE, (leases.PROCESS, NAME))).fetchone()
        if row is not None and row[0]:
            return True
        await asyncio.sleep(leases.LEASE_SECONDS)
    return False


async def _spell(
    conn: Connection, dsn: str, company: Company, settings: Settings, stop: threading.Event
) -> None:
    """Deliver as long as the connection that holds the lease lives."""
    await conn.execute("LISTEN leadlog_events")
    async with AsyncExitStack() as stack:
        deliveries = _deliveries(dsn, company, settings, stop, stack)
        async with _tasks() as running:
            while not stop.is_set():
                for webhook in await deliveries.store.due():
                    if webhook.id not in running:
                        running[webhook.id] = asyncio.create_task(_one(deliveries, webhook))
                async for _ in conn.notifies(timeout=leases.POLL_SECONDS, stop_after=1):
                    pass
                for done in [one for one, task in running.items() if task.done()]:
                    running.pop(done).result()


@asynccontextmanager
async def _tasks() -> AsyncIterator[dict[UUID, "asyncio.Task[None]"]]:
    """Tasks by webhook: at the end what is under way may be finished, for a moment."""
    running: dict[UUID, asyncio.Task[None]] = {}
    try:
        yield running
        if running:
            await asyncio.wait(running.values(), timeout=STOP_SECONDS)
    finally:
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)


async def _one(deliveries: Deliveries, webhook: Webhook) -> None:
    try:
        await deliveries.deliver(webhook)
    except Unavailable as error:
        logger.warning("webhook %s waits: %s", webhook.id, error)
    except Exception:  # one that breaks the program is no reason for the others to stop
        logger.exception("webhook %s fails", webhook.id)
        await deliveries.store.failed(webhook, DEFECT, DEFECT_SECONDS)


def _deliveries(
    dsn: str, company: Company, settings: Settings, stop: threading.Event, stack: AsyncExitStack
) -> Deliveries:
    own = open_write_side(dsn, company, stack)
    store = PostgresWebhooks(dsn, most=settings.webhooks)
    feed, sender = PostgresFeed(dsn), sender_by(settings, company)
    for part in (store, feed, sender):
        stack.push_async_callback(part.close)
    return Deliveries(
        store,
        feed,
        sender,
        WebhookRecords(own.log, own.clock),
        company.zone,
        tuple(EVENT_TYPES),
        Patience(settings.webhook_pause_seconds, timedelta(hours=settings.webhook_hours)),
        stop.is_set,
    )
