"""What administrators do with webhooks, on one database: made in one place."""

from contextlib import AsyncExitStack

from adapters.clock import SystemClock
from adapters.company import Company
from adapters.postgres.codec import EVENT_TYPES
from adapters.postgres.webhook_store import PostgresWebhooks
from adapters.settings import Settings
from adapters.webhook_sender import sender_by
from adapters.write_side import WriteSide
from commands.webhooks import WebhookCommands, WebhookRecords


def webhooks_by(
    dsn: str, settings: Settings, company: Company, own: WriteSide, stack: AsyncExitStack
) -> WebhookCommands:
    """The commands, whose connections close with `stack`."""
    store, sender = PostgresWebhooks(dsn, most=settings.webhooks), sender_by(settings, company)
    stack.push_async_callback(store.close)
    stack.push_async_callback(sender.close)
    records = WebhookRecords(own.log, own.clock)
    # Receivers live in real time, in a simulated company too.
    return WebhookCommands(store, sender, records, SystemClock(), tuple(EVENT_TYPES))
