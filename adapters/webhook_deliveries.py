"""Delivers events to one webhook, in the order of the log, each until it is taken or given up.

At least once: a place in the log moves only behind what was taken, so what a killed worker had
under way is sent again, with the same id. An event that is not taken holds up those behind it, at
this webhook alone, with growing pauses; then it is given up and kept as a dead letter.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import uniform
from zoneinfo import ZoneInfo

import msgspec

from adapters.postgres.webhook_store import PostgresWebhooks
from adapters.webhook_sender import Sender
from aggregates.directory.scope import EVERYTHING
from commands.caller import Caller
from commands.feed import ALL, EventFeed, Page, Shown, Wanted, feed_json, shown_to, topics_of
from commands.webhooks import Sent, Webhook, WebhookRecords

logger = logging.getLogger("leadlog.webhooks")

ME = Caller("process:webhooks")
LONGEST_PAUSE = 7200.0
GONE = 410
PASSING = frozenset({408, 425, 429})
"""Refusals that say nothing about the message."""
REFUSED_ATTEMPTS = 5
"""A message that is refused so often is given up: another day would not help it."""
REFUSED_MESSAGES = 10
"""A webhook that refuses so many in a row is disabled."""


PAGE_SECONDS = 3.0
"""What was read longer ago is read again: a lead may have been erased since."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to the second attempt, and how long a webhook may take nothing."""

    first_pause: float
    gives_up_after: timedelta


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What delivering takes. `topics`: all there are. `stopping`: whether to leave off."""

    store: PostgresWebhooks
    feed: EventFeed
    sender: Sender
    records: WebhookRecords
    zone: ZoneInfo
    topics: tuple[str, ...]
    patience: Patience
    stopping: Callable[[], bool]

    async def deliver(self, webhook: Webhook) -> None:
        """Deliver what there is, until something is not taken or somebody moves the webhook."""
        await self._revive(webhook)
        wanted = Wanted(topics_of(webhook.topics, self.topics))
        found: Webhook | None = webhook
        while found and not self.stopping():
            page = await self.feed.page(found.position, wanted, EVERYTHING)
            if page.upto <= found.position:
                return
            found = await self._deliver_page(found, page, wanted)

    async def _deliver_page(self, webhook: Webhook, page: Page, wanted: Wanted) -> Webhook | None:
        """The webhook behind what was delivered; None when it is to be left for now."""
        found: Webhook | None = webhook
        stale = time.monotonic() + PAGE_SECONDS
        for shown in shown_to(page, EVERYTHING, wanted, webhook.position):
            if _goes_out(shown, webhook):
                assert found
                sent = await self._send(found, shown, page)
                if not sent.taken:
                    await self._not_taken(found, shown, sent)
                    return None
                position = shown.told.recorded.position
                found = await self.store.passed(found, position, delivered=True)
                if found is None or self.stopping():
                    return None
                if time.monotonic() > stale:
                    return found
        assert found
        if found.position == page.upto:
            return found
        return await self.store.passed(found, page.upto, delivered=False)

    async def _revive(self, webhook: Webhook) -> None:
        """Dead letters that somebody wants sent once more."""
        for position in await self.store.retried(webhook.id):
            page = await self.feed.page(position - 1, ALL, EVERYTHING)
            shown = next(shown_to(page, EVERYTHING, ALL, position - 1))
            sent = await self._send(webhook, shown, page)
            if sent.taken:
                await self.store.revived(webhook.id, position)
            else:
                await self.store.still_dead(webhook.id, position, _why(sent))

    async def _send(self, webhook: Webhook, shown: Shown, page: Page) -> Sent:
        recorded = shown.told.recorded
        body = {
            "type": shown.told.topic,
            "timestamp": recorded.recorded_at,
            "data": feed_json(shown, page, self.zone),
        }
        message = f"{recorded.stream}/{recorded.version}"
        return await self.sender.send(webhook, message, msgspec.json.encode(body))

    async def _not_taken(self, webhook: Webhook, shown: Shown, sent: Sent) -> None:
        """Again later, or given up; and the webhook too, when it takes nothing any more."""
        error, position = _why(sent), shown.told.recorded.position
        if sent.status == GONE:
            await self._disable(webhook, "the receiver says that it is gone: 410", error)
        elif self._has_had_its_time(webhook):
            buried = await self.store.bury(webhook, position, shown.told.topic, error)
            hours = self.patience.gives_up_after / timedelta(hours=1)
            await self._disable(buried, f"it took nothing for {hours:g} hours", error)
        elif _refuses(sent) and webhook.attempts + 1 >= REFUSED_ATTEMPTS:
            buried = await self.store.bury(webhook, position, shown.told.topic, error)
            if buried and buried.refusals >= REFUSED_MESSAGES:
                await self._disable(buried, f"it refused {buried.refusals} messages", error)
        else:
            await self.store.failed(webhook, error, self._pause(webhook.attempts))

    def _has_had_its_time(self, webhook: Webhook) -> bool:
        since = webhook.failing_since
        return since is not None and datetime.now(UTC) - since >= self.patience.gives_up_after

    def _pause(self, attempts: int) -> float:
        longest = min(self.patience.first_pause * 2.0 ** min(attempts, 30), LONGEST_PAUSE)
        return uniform(longest / 2, longest)  # noqa: S311 - so that not all come at once

    async def _disable(self, webhook: Webhook | None, why: str, error: str) -> None:
        if webhook and await self.store.disable(webhook, why, error):
            logger.error("webhook %s is disabled: %s", webhook.id, why)
            await self.records.record(ME, webhook.id, "disabled", webhook.url, why)


def _goes_out(shown: Shown, webhook: Webhook) -> bool:
    """Imported history is no news: it is sent where somebody asked for it by a replay."""
    imported = shown.told.meta.actor.startswith("import:")
    return not imported or shown.told.recorded.position <= webhook.replay_upto


def _refuses(sent: Sent) -> bool:
    return sent.status is not None and 400 <= sent.status < 500 and sent.status not in PASSING


def _why(sent: Sent) -> str:
    return sent.error or f"answered {sent.status}"
