"""Webhooks: addresses that are told what happens. What administrators do with them, on record.

A webhook is a setting with a place in the log, not history: it is a row that changes. Who changed
it is history, and in the log before the change counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, NamedTuple, Protocol
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from pydantic import ConfigDict, Field

from aggregates.access.events import WebhookChanged
from aggregates.access.readings import Readings, evolve
from aggregates.event import Meta
from aggregates.refusal import Refusal
from commands.caller import Caller
from commands.feed import topics_of
from commands.fields import Command, Label, example, text
from commands.loop import CommandLoop, Intent, by_state
from commands.ports import Clock, EventLog

Topic = Annotated[str, text(100, 1)]
Url = Annotated[str, text(2000, 1)]
URL = "https://crm.example.com/leadlog"
BY_HAND = "by an administrator"


class CreateWebhook(Command):
    """Have events sent to an address from now on; the answer shows its secret this once."""

    model_config = ConfigDict(json_schema_extra=example(url=URL, topics=["lead.*"]))

    url: Url
    topics: tuple[Topic, ...] = Field((), max_length=100)
    """Such as lead.assigned, or lead.* for all of that kind; none = all events."""
    description: Label = ""


class ChangeWebhook(Command):
    """Change an address, what it is told, or whether; what is not given stays."""

    model_config = ConfigDict(json_schema_extra=example(active=False))

    url: Url | None = None
    topics: tuple[Topic, ...] | None = Field(None, max_length=100)
    description: Label | None = None
    active: bool | None = None
    """True goes on where it stopped."""


class RotateWebhookSecret(Command):
    """Sign with a new secret, shown this once, and with the old one for a while yet."""

    model_config = ConfigDict(json_schema_extra=example(overlap_hours=24))

    overlap_hours: float = Field(24, ge=0, le=168)


class ReplayWebhook(Command):
    """Send again all that is behind a position, imported history included; ids stay the same."""

    model_config = ConfigDict(json_schema_extra=example(after=0))

    after: int = Field(ge=0, lt=2**63)


class RetryWebhookMessages(Command):
    """Send dead letters once more: one of them by its position, or all."""

    model_config = ConfigDict(json_schema_extra=example(position=17))

    position: int | None = Field(None, ge=1, lt=2**63)


class TestWebhook(Command):
    """Send a message of the type webhook.test now, and say what came of it."""

    model_config = ConfigDict(json_schema_extra=example())

    __test__ = False  # no test class


class DeleteWebhook(Command):
    """Send nothing there any more; its dead letters go with it."""

    model_config = ConfigDict(json_schema_extra=example())


COMMANDS: tuple[type[Command], ...] = (
    CreateWebhook, ChangeWebhook, RotateWebhookSecret, ReplayWebhook, RetryWebhookMessages,
    TestWebhook, DeleteWebhook,
)  # fmt: skip


class UnsafeUrl(Refusal):
    """Events must not go to this URL."""

    def __init__(self, why: str) -> None:
        super().__init__("unsafe-url", f"a webhook's URL {why}", "url")


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address and how far it is. `position`: up to there everything is delivered, given up, or
    not wanted. `replay_upto`: up to there imported history is sent, too. `secret`: the number of
    the one in use. `disabled`: why nothing is sent; None = it is. `attempts`, `failing_since`,
    `next_try`, `error`: of the event behind `position`. `refusals`: given up since the last that
    was taken.
    """

    id: UUID
    url: str
    description: str
    topics: tuple[str, ...]
    secret: int
    old_secret_until: datetime | None
    position: int
    replay_upto: int
    disabled: str | None
    attempts: int
    failing_since: datetime | None
    next_try: datetime | None
    error: str | None
    refusals: int
    delivered_at: datetime | None
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str


class DeadMessage(NamedTuple):
    """An event that was given up at an address."""

    position: int
    topic: str
    error: str
    attempts: int
    at: datetime
    retried: bool


class Sent(NamedTuple):
    """What came of sending: the status that was answered, if one was, or else what went wrong."""

    status: int | None
    error: str | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver has it now."""
        return self.status is not None and 200 <= self.status < 300


class WebhookStore(Protocol):
    """Where webhooks are kept. Every method raises Unavailable as the reads do."""

    async def add(self, webhook: UUID, wanted: CreateWebhook, by: str) -> Webhook | None:
        """A new one at the log's end; None when there are as many as there may be."""
        ...

    async def change(self, webhook: UUID, by: str, **values: Any) -> Webhook | None:
        """One with other values; None when there is none."""
        ...

    async def replay(self, webhook: UUID, after: int, by: str) -> Webhook | None:
        """One that begins again behind a position, which is within the log."""
        ...

    async def remove(self, webhook: UUID) -> None:
        """Forget one."""
        ...

    async def find(self, webhook: UUID) -> Webhook | None:
        """One."""
        ...

    async def all(self) -> Sequence[Webhook]:
        """All, the oldest first."""
        ...

    async def dead(self, webhook: UUID, before: int | None, limit: int) -> Sequence[DeadMessage]:
        """What was given up, the latest first."""
        ...

    async def retry(self, webhook: UUID, position: int | None) -> int:
        """Have some of it sent once more; how many."""
        ...


class WebhookSender(Protocol):
    """Sends messages, signed."""

    async def check(self, url: str) -> None:
        """Raise UnsafeUrl for an address that events must not go to."""
        ...

    def secret(self, webhook: Webhook) -> str:
        """The secret in use, as its owner needs it."""
        ...

    async def test(self, webhook: Webhook) -> Sent:
        """Send a message that says nothing."""
        ...


class WebhookRecords:
    """Puts on record who changes what is told outside: a stream for each webhook."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._loop = CommandLoop(log, Readings, evolve)
        self._clock = clock

    async def record(
        self, by: Caller, webhook: UUID, change: str, url: str, reason: str | None = None
    ) -> None:
        """Record a change. Raises Unavailable: then do not carry it out.

        Of the URL only where it leads to: its path may be a secret of the receiver's.
        """
        event = WebhookChanged(
            occurred_at=self._clock.now(),
            change=change,
            url=urlsplit(url)._replace(path="", query="").geturl(),
            by=by.person or by.actor,
            reason=reason,
        )
        meta = Meta(by.actor, uuid4())
        await self._loop.run(Intent(webhook, by_state(partial(_just, event)), meta, b""))


class WebhookCommands:
    """What administrators do. Raises Refusal, Unavailable; None where there is no such webhook."""

    def __init__(
        self,
        store: WebhookStore,
        sender: WebhookSender,
        records: WebhookRecords,
        clock: Clock,
        topics: Sequence[str],
    ) -> None:
        self.store, self.sender = store, sender
        self._records, self._clock, self._topics = records, clock, topics

    async def create(self, wanted: CreateWebhook, by: Caller) -> Webhook:
        """A new one."""
        topics_of(wanted.topics, self._topics)
        await self.sender.check(wanted.url)
        webhook = uuid4()
        await self._records.record(by, webhook, "created", wanted.url)
        made = await self.store.add(webhook, wanted, by.actor)
        if made is None:
            raise Refusal("too-many-webhooks", "there are as many webhooks as there may be")
        return made

    async def change(self, found: Webhook, wanted: ChangeWebhook, by: Caller) -> Webhook | None:
        """The same with other values."""
        topics_of(wanted.topics or (), self._topics)
        if wanted.url:
            await self.sender.check(wanted.url)
        values = wanted.model_dump(exclude={"active"}, exclude_none=True)
        if wanted.active is not None:
            fresh = {"attempts": 0, "failing_since": None, "next_try": None, "refusals": 0}
            values |= {"disabled": None, **fresh} if wanted.active else {"disabled": BY_HAND}
        if not values:
            return found
        said = {True: "enabled", False: "disabled", None: "changed"}[wanted.active]
        reason = BY_HAND if wanted.active is False else None
        await self._records.record(by, found.id, said, wanted.url or found.url, reason)
        return await self.store.change(found.id, by.actor, **values)

    async def rotate(
        self, found: Webhook, wanted: RotateWebhookSecret, by: Caller
    ) -> Webhook | None:
        """The same with another secret."""
        await self._records.record(by, found.id, "secret-rotated", found.url)
        until = self._clock.now() + timedelta(hours=wanted.overlap_hours)
        values = {"secret": found.secret + 1, "old_secret_until": until}
        return await self.store.change(found.id, by.actor, **values)

    async def replay(self, found: Webhook, wanted: ReplayWebhook, by: Caller) -> Webhook | None:
        """The same from an earlier place on."""
        await self._records.record(by, found.id, "replayed", found.url, f"after {wanted.after}")
        return await self.store.replay(found.id, wanted.after, by.actor)

    async def retry(self, found: Webhook, position: int | None, by: Caller) -> int:
        """Have dead letters sent once more; how many."""
        await self._records.record(by, found.id, "retried", found.url)
        return await self.store.retry(found.id, position)

    async def delete(self, found: Webhook, by: Caller) -> None:
        """Forget one."""
        await self._records.record(by, found.id, "deleted", found.url)
        await self.store.remove(found.id)


def without_query(url: str) -> str:
    """An address as it may be shown: secrets of receivers stand in the query."""
    return urlsplit(url)._replace(query="").geturl()


def _just(event: WebhookChanged, _: object) -> Sequence[WebhookChanged]:
    return [event]
