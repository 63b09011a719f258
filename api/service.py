"""What the routes work with. The composition root fills it; the routes know only these shapes."""

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from aggregates.directory.scope import Scope
from aggregates.event import Recorded
from aggregates.lead.replay import Told
from api.auth import Doorkeeper, Sessions, Tokens
from api.feed_limits import FeedLimits
from commands.directory import DirectoryCommands
from commands.feed import EventFeed
from commands.hand_over import HandOvers
from commands.holidays import Holidays
from commands.leads import LeadCommands
from commands.notifications import NotificationCommands, Texts
from commands.ports import Clock
from commands.readings import ReadingRecords
from commands.register import Registry
from commands.reviews import ReviewCommands
from commands.webhooks import WebhookCommands


class Reads(Protocol):
    """The read side. Every method raises Unavailable when the database does not answer."""

    async def find_lead(self, reference: str) -> UUID | None:
        """The lead with this UUID or code; a code is looked for up to the log's present end."""
        ...

    async def known(self, leads: Sequence[UUID], scope: Scope) -> Mapping[UUID, str | None]:
        """Those of the leads that are within a scope, with their codes; None = not captured."""
        ...

    async def head(self) -> int:
        """The last position of the log."""
        ...

    async def await_position(self, position: int) -> None:
        """Return once every read model reflects the position; Unavailable if that takes long."""
        ...

    async def history(self, lead: UUID) -> tuple[int, Sequence[Recorded]]:
        """A position of the log and the lead's events up to at least there, in order."""
        ...

    async def told(self, lead: UUID) -> tuple[int, Sequence[Told]]:
        """The same with who caused each event, as an auditor reads it."""
        ...

    async def follow_ups(
        self, lead: UUID, after: int, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A position and the lead's follow-ups at that position, recorded behind `after`."""
        ...

    async def attachments(
        self, part: str, scope: Scope, before: int | None, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A position and attachments whose name has this part, newest first, before a position."""
        ...

    async def leads(
        self,
        filters: Mapping[str, Any],
        scope: Scope,
        *,
        sort: str,
        after: tuple[int, datetime | None, UUID] | None,
        limit: int,
    ) -> tuple[int, list[dict[str, Any]]]:
        """A position and captured leads within a scope, times unknown last, behind `after`, which
        is the `place` of a lead in that order.
        """
        ...

    async def merged(self, lead: UUID) -> Mapping[UUID, str]:
        """The leads merged into one, over several steps, with their codes."""
        ...

    async def duplicates(
        self, scope: Scope, after: int, limit: int, *, certain: bool | None
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A position and open suspicions behind position `after` of leads within a scope."""
        ...

    async def pooled(
        self, pools: Sequence[str], after: int, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A position and the leads in these pools, the longest there first, behind `after`."""
        ...

    async def tasks(
        self,
        filters: Mapping[str, Any],
        scope: Scope,
        *,
        now: datetime,
        after: tuple[int, datetime | None, UUID, str] | None,
        limit: int,
    ) -> tuple[int, list[dict[str, Any]]]:
        """A position and tasks of a scope's people and teams; `segment`, `due_at`, `lead` and
        `name` are a task's place in that order.
        """
        ...

    async def escalations(
        self,
        kind: str,
        filters: Mapping[str, Any],
        scope: Scope,
        *,
        after: tuple[int, int, int] | None,
        limit: int,
    ) -> tuple[int, list[dict[str, Any]]]:
        """A position and leads for supervisors; `segment`, `level_rank` and `position` are a place
        in that order.
        """
        ...

    async def tasks_of(self, lead: UUID) -> tuple[int, list[dict[str, Any]]]:
        """A position and the tasks of one lead, the open ones first."""
        ...

    async def reviews(
        self,
        filters: Mapping[str, Any],
        teams: Collection[str] | None,
        before: int | None,
        limit: int,
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A position and reviews of these teams (None = all), newest first, opened before one."""
        ...

    async def proposals(
        self, scope: Scope, after: int, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A position and leads that the clean-up proposes to give up, proposed behind `after`."""
        ...

    async def notifications(
        self,
        recipient: str,
        *,
        unread: bool | None,
        after: tuple[int, int, UUID] | None,
        limit: int,
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A position and a person's messages behind `after`: those that are unread first, the
        newest first among each. `segment`, `position` and `id` are a place in that order.
        """
        ...

    async def unread_notifications(
        self, recipient: str, *, upto: int | None, limit: int
    ) -> Sequence[UUID]:
        """A person's oldest unread messages, up to a position of the log."""
        ...

    async def recipient_of(self, notification: UUID) -> str | None:
        """Whom a message is for; None for one that there is not."""
        ...

    async def dead_notifications(
        self, *, channel: str | None, before: int | None, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A position and messages that were given up before a position, the last one first."""
        ...

    async def accesses(
        self, filters: Mapping[str, Any], scope: Scope, *, before: int | None, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A position and accesses to the leads of a scope, the latest first, before a position."""
        ...

    async def erasures(
        self, *, lead: UUID | None, before: int | None, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A position and erasures, the latest first, before a position."""
        ...

    async def report(self, name: str, given: Mapping[str, Any], scope: Scope) -> Mapping[str, Any]:
        """A report's body over a scope's leads; Refusal for parameters that it does not take."""
        ...

    async def evidence(
        self,
        name: str,
        bucket: str,
        given: Mapping[str, Any],
        scope: Scope,
        after: int,
        limit: int,
    ) -> tuple[int, list[Mapping[str, Any]], int | None]:
        """A position, what stands behind a row of a report, and `after` of the next page."""
        ...


class Proofs(Protocol):
    """What proves the log. Every method raises Unavailable as the reads do."""

    async def checkpoint(self) -> Mapping[str, Any] | None:
        """The newest signed checkpoint with the keys that verify it; None while there is none."""
        ...

    async def consistency(self, old: int, new: int) -> Mapping[str, Any]:
        """The proof between two sizes of the tree; Refusal for what is none."""
        ...

    async def lead(self, lead: UUID, after: int, limit: int) -> Mapping[str, Any]:
        """A lead's events behind a version, with their proofs, and those that none covers yet."""
        ...


class Files(Protocol):
    """Where the content of attachments is kept. Both raise Unavailable as the reads do."""

    async def keep(self, lead: UUID, attachment: UUID, chunks: AsyncIterable[bytes]) -> None:
        """Store the content durably; what is there already stays as it is."""
        ...

    def chunks(self, lead: UUID, attachment: UUID) -> AsyncIterator[bytes]:
        """The content, in order; nothing for an unknown attachment."""
        ...


class Health(Protocol):
    """How the service is, and what it has counted."""

    ready_lag_seconds: float
    seal_seconds: float
    draining: bool
    """It is about to stop listening."""

    async def signs(self) -> Mapping[str, Any]:
        """How the database and the work on it are; Unavailable says what is wrong instead."""
        ...

    async def metrics(self) -> bytes:
        """Everything that is counted and measured, in the text format of Prometheus."""
        ...

    def note_command(self, kind: str, outcome: str) -> None:
        """A command was accepted, repeated, refused, in conflict, unavailable, or failed."""
        ...


@dataclass(frozen=True, slots=True)
class Service:
    """Everything that a route needs."""

    zone: ZoneInfo
    doorkeeper: Doorkeeper
    tokens: Tokens
    sessions: Sessions
    commands: LeadCommands
    readings: ReadingRecords
    note_erasure: Callable[[UUID], Awaitable[None]]
    directory: DirectoryCommands
    hand_overs: HandOvers
    reviews: ReviewCommands
    holidays: Holidays
    notifications: NotificationCommands
    texts: Texts
    registry: Registry
    reads: Reads
    proofs: Proofs
    files: Files
    feed: EventFeed
    feed_limits: FeedLimits
    topics: Collection[str]
    webhooks: WebhookCommands
    health: Health
    clock: Clock
    page_limit: int
    attachment_limit: int
