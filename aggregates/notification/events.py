"""What can happen to a message. That there is one follows from events of leads and reviews; its
stream is named by its id (projections/messages.py) and begins when something became of it.
"""

from dataclasses import dataclass
from typing import ClassVar

from aggregates.event import Event


@dataclass(frozen=True, kw_only=True)
class NotificationEvent(Event):
    """Something about the message to `recipient`, a person's name."""

    recipient: str


@dataclass(frozen=True, kw_only=True)
class NotificationSent(NotificationEvent):
    """The other side of a channel took the message (R36). It may have it twice under the same
    `message_id`, where its answer was lost (decision 20).
    """

    topic: ClassVar[str] = "notification.sent"

    channel: str
    message_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class NotificationDead(NotificationEvent):
    """The message was given up after so many `attempts`: refused, tried often enough, too old, or
    moot.

    `error` is a code of `aggregates.notification.channels` and may hold the server's own code.
    """

    topic: ClassVar[str] = "notification.dead"

    channel: str
    error: str
    attempts: int = 0


@dataclass(frozen=True, kw_only=True)
class NotificationRetried(NotificationEvent):
    """Somebody had a message that was given up tried again."""

    topic: ClassVar[str] = "notification.retried"

    channel: str


@dataclass(frozen=True, kw_only=True)
class NotificationRead(NotificationEvent):
    """The recipient has seen the message in their list."""

    topic: ClassVar[str] = "notification.read"


EVENTS: tuple[type[Event], ...] = (
    NotificationSent,
    NotificationDead,
    NotificationRetried,
    NotificationRead,
)
