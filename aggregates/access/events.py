"""What can happen to the record of a reader's day, and to a webhook's."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from aggregates.event import Event


@dataclass(frozen=True, kw_only=True)
class HistoryRead(Event):
    """Somebody who sees every lead by their role read the history of one: `what` of it (R117)."""

    topic: ClassVar[str] = "access.history-read"

    lead: UUID
    what: str
    by: str


@dataclass(frozen=True, kw_only=True)
class FeedOpened(Event):
    """Somebody who sees every lead by their role follows the change feed from behind a position:
    once for each connection, not for each event (R117).
    """

    topic: ClassVar[str] = "access.feed-opened"

    after: int
    by: str


@dataclass(frozen=True, kw_only=True)
class WebhookChanged(Event):
    """Events go to this address from now on, or otherwise, or no more: `change` says which."""

    topic: ClassVar[str] = "access.webhook-changed"

    change: str
    url: str
    by: str
    reason: str | None = None


EVENTS: tuple[type[Event], ...] = (HistoryRead, FeedOpened, WebhookChanged)
"""What was read is in the stream of its reader's day, and not in the lead's: reading changes no
lead. A webhook's changes are in a stream of its own.
"""
