"""A message as the fold of what became of it, and the decisions on that."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from aggregates.event import Event
from aggregates.notification import events as n

SENT, DEAD, RETRIED = "sent", "dead", "retried"


@dataclass(frozen=True, slots=True)
class Notification:
    """`channels`: what became of it on each; a channel that is not there is still to be tried."""

    id: UUID
    version: int = 0
    channels: Mapping[str, str] = field(default_factory=dict)
    read: bool = False


def evolve(message: Notification, event: Event) -> Notification:
    """The message after one more event."""
    message = replace(message, version=message.version + 1)
    match event:
        case n.NotificationSent(channel=channel):
            return replace(message, channels={**message.channels, channel: SENT})
        case n.NotificationDead(channel=channel):
            return replace(message, channels={**message.channels, channel: DEAD})
        case n.NotificationRetried(channel=channel):
            return replace(message, channels={**message.channels, channel: RETRIED})
        case n.NotificationRead():
            return replace(message, read=True)
        case _:
            return message


def sent(
    message: Notification, *, now: datetime, recipient: str, channel: str, message_id: str | None
) -> list[Event]:
    """The channel took it; once is enough."""
    if message.channels.get(channel) == SENT:
        return []
    return [
        n.NotificationSent(
            occurred_at=now, recipient=recipient, channel=channel, message_id=message_id
        )
    ]


def give_up(
    message: Notification,
    *,
    now: datetime,
    recipient: str,
    channel: str,
    error: str,
    attempts: int,
) -> list[Event]:
    """The channel does not take it, unless it has."""
    if message.channels.get(channel) in (SENT, DEAD):
        return []
    return [
        n.NotificationDead(
            occurred_at=now, recipient=recipient, channel=channel, error=error, attempts=attempts
        )
    ]


def retry(message: Notification, *, now: datetime, recipient: str, channel: str) -> list[Event]:
    """Try a message again that was given up; any other is on its way or there."""
    if message.channels.get(channel) != DEAD:
        return []
    return [n.NotificationRetried(occurred_at=now, recipient=recipient, channel=channel)]


def read(message: Notification, *, now: datetime, recipient: str) -> list[Event]:
    """The recipient has seen it."""
    return [] if message.read else [n.NotificationRead(occurred_at=now, recipient=recipient)]
