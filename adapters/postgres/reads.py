"""The read side for the API: questions in threads over a few pooled connections.

When the database does not answer, a question ends in Unavailable, so that the caller may ask again.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg_pool import PoolTimeout

from adapters.postgres import (
    attachment_queries,
    audit,
    duplicate_queries,
    lead_list,
    lead_queries,
    log_reader,
    notification_queries,
    pool_queries,
    privacy_queries,
    reports,
    review_queries,
    task_queries,
)
from adapters.postgres.builds import live_builds
from adapters.postgres.lead_refs import find_lead
from adapters.postgres.pools import question_pool
from adapters.postgres.tables import Connection
from aggregates.directory.scope import Scope
from aggregates.event import Recorded
from aggregates.lead.replay import Told
from aggregates.refusal import Refusal
from commands.ports import Unavailable
from projections.catalogue import PROJECTIONS
from projections.reports.catalogue import find
from projections.reports.params import read

P = ParamSpec("P")
T = TypeVar("T")

CONNECTIONS = 4
LONGEST_QUESTION = "30s"
POLL_SECONDS = 0.02
REMEMBERED_CODES = 10_000


class PostgresReads:
    """Implements the API's `Reads` over the log and the live builds of the read models."""

    def __init__(self, dsn: str, zone: ZoneInfo, *, patience: float) -> None:
        self._zone = zone
        self._patience = patience
        self._codes: dict[str, UUID] = {}
        self._pool = question_pool(
            dsn, "leadlog_projector", most=CONNECTIONS, longest=LONGEST_QUESTION, least=1
        )

    def open(self) -> None:
        """Start connecting; questions asked meanwhile wait."""
        self._pool.open()

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self._pool.close)

    async def find_lead(self, reference: str) -> UUID | None:
        """The lead with this UUID or code; a code is looked for up to the log's present end."""
        try:
            return self._codes.get(reference) or UUID(reference)
        except ValueError:
            pass
        found = await self._ask(find_lead, reference)
        if found is None:
            await self.await_position(await self.head(), "leads")
            found = await self._ask(find_lead, reference)
        if found and len(self._codes) < REMEMBERED_CODES:
            self._codes[reference] = found
        return found

    async def known(self, leads: Sequence[UUID], scope: Scope) -> Mapping[UUID, str | None]:
        """Those of the leads that are within a scope, with their codes; None = not captured."""
        return await self._ask(lead_queries.known, leads, scope)

    async def head(self) -> int:
        """The last position of the log."""
        return await self._ask(log_reader.head)

    async def await_position(self, position: int, projection: str | None = None) -> None:
        """Return once the read models (or one of them) reflect the position."""
        deadline = time.monotonic() + self._patience
        while (reached := await self._ask(_reached, projection)) < position:
            if time.monotonic() > deadline:
                raise Unavailable(f"the read models reflect position {reached}, not {position} yet")
            await asyncio.sleep(POLL_SECONDS)

    async def history(self, lead: UUID) -> tuple[int, Sequence[Recorded]]:
        """A position of the log and the lead's events at least up to there."""
        return await self._ask(lead_queries.history, lead)

    async def told(self, lead: UUID) -> tuple[int, Sequence[Told]]:
        """The same with who caused each event."""
        return await self._ask(audit.history, lead)

    async def follow_ups(
        self, lead: UUID, after: int, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """The lead's follow-ups recorded behind a position."""
        position, rows = await self._ask(lead_queries.follow_ups, lead, after, limit)
        return position, list(rows)

    async def attachments(
        self, part: str, scope: Scope, before: int | None, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """Attachments whose name has this part, newest first."""
        position, rows = await self._ask(attachment_queries.search, part, scope, before, limit)
        return position, list(rows)

    async def leads(
        self,
        filters: Mapping[str, Any],
        scope: Scope,
        *,
        sort: str,
        after: lead_list.Place | None,
        limit: int,
    ) -> tuple[int, list[dict[str, Any]]]:
        """A page of captured leads within a scope."""
        position, rows = await self._ask(
            lead_list.leads, filters, scope, sort=sort, after=after, limit=limit
        )
        return position, list(rows)

    async def merged(self, lead: UUID) -> Mapping[UUID, str]:
        """The leads merged into one, over several steps, with their codes."""
        return await self._ask(duplicate_queries.merged_into, lead)

    async def duplicates(
        self, scope: Scope, after: int, limit: int, *, certain: bool | None
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """Open suspicions that arose behind a position, with both leads."""
        position, rows = await self._ask(
            duplicate_queries.queue, scope, after, limit, certain=certain, zone=self._zone.key
        )
        return position, list(rows)

    async def pooled(
        self, pools: Sequence[str], after: int, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """Leads in pools, the longest there first, entered behind a position of the log."""
        position, rows = await self._ask(pool_queries.pooled, pools, after, limit)
        return position, list(rows)

    async def tasks(
        self,
        filters: Mapping[str, Any],
        scope: Scope,
        *,
        now: datetime,
        after: task_queries.TaskPlace | None,
        limit: int,
    ) -> tuple[int, list[dict[str, Any]]]:
        """A page of tasks of a scope's people and teams."""
        position, rows = await self._ask(
            task_queries.tasks, filters, scope, now=now, after=after, limit=limit
        )
        return position, list(rows)

    async def escalations(
        self,
        kind: str,
        filters: Mapping[str, Any],
        scope: Scope,
        *,
        after: task_queries.EscalationPlace | None,
        limit: int,
    ) -> tuple[int, list[dict[str, Any]]]:
        """A page of what supervisors look at."""
        position, rows = await self._ask(
            task_queries.escalations, kind, filters, scope, after=after, limit=limit
        )
        return position, list(rows)

    async def tasks_of(self, lead: UUID) -> tuple[int, list[dict[str, Any]]]:
        """The tasks of one lead, the open ones first."""
        position, rows = await self._ask(task_queries.of_lead, lead)
        return position, list(rows)

    async def reviews(
        self,
        filters: Mapping[str, Any],
        teams: Collection[str] | None,
        before: int | None,
        limit: int,
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """Reviews, newest first."""
        position, rows = await self._ask(review_queries.reviews, filters, teams, before, limit)
        return position, list(rows)

    async def proposals(
        self, scope: Scope, after: int, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """Leads that the clean-up proposes to give up, the longest proposed first."""
        position, rows = await self._ask(review_queries.proposals, scope, after, limit)
        return position, list(rows)

    async def notifications(
        self,
        recipient: str,
        *,
        unread: bool | None,
        after: notification_queries.Place | None,
        limit: int,
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """A person's messages: unread ones first, the newest first among each."""
        position, rows = await self._ask(
            notification_queries.own, recipient, unread=unread, after=after, limit=limit
        )
        return position, list(rows)

    async def unread_notifications(
        self, recipient: str, *, upto: int | None, limit: int
    ) -> Sequence[UUID]:
        """A person's oldest unread messages."""
        return await self._ask(notification_queries.unread, recipient, upto=upto, limit=limit)

    async def recipient_of(self, notification: UUID) -> str | None:
        """Whom a message is for."""
        return await self._ask(notification_queries.recipient_of, notification)

    async def dead_notifications(
        self, *, channel: str | None, before: int | None, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """Messages that were given up, the last one first."""
        position, rows = await self._ask(
            notification_queries.dead, channel=channel, before=before, limit=limit
        )
        return position, list(rows)

    async def accesses(
        self, filters: Mapping[str, Any], scope: Scope, *, before: int | None, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """Who saw a personal value or a history, the latest first."""
        position, rows = await self._ask(
            privacy_queries.accesses, filters, scope, before=before, limit=limit
        )
        return position, list(rows)

    async def erasures(
        self, *, lead: UUID | None, before: int | None, limit: int
    ) -> tuple[int, list[Mapping[str, Any]]]:
        """What was erased, the latest first."""
        position, rows = await self._ask(
            privacy_queries.erasures, lead=lead, before=before, limit=limit
        )
        return position, list(rows)

    async def report(self, name: str, given: Mapping[str, Any], scope: Scope) -> Mapping[str, Any]:
        """A report's body; Refusal for an unknown report or parameter."""
        return await self._ask(_report, name, given, self._zone.key, scope)

    async def evidence(
        self,
        name: str,
        bucket: str,
        given: Mapping[str, Any],
        scope: Scope,
        after: int,
        limit: int,
    ) -> tuple[int, list[Mapping[str, Any]], int | None]:
        """A page of what stands behind a row of a report, and `after` of the next one."""
        return await self._ask(_evidence, name, bucket, given, self._zone.key, scope, after, limit)

    async def _ask(
        self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await asyncio.to_thread(self._answer, lambda conn: question(conn, *args, **kwargs))

    def _answer(self, question: Callable[[Connection], T]) -> T:
        try:
            with self._pool.connection(timeout=self._patience) as conn:
                return question(conn)
        except psycopg.errors.QueryCanceled:
            raise Unavailable(f"this takes longer than {LONGEST_QUESTION}: ask for less") from None
        except psycopg.DataError:
            said = "a value is too large, or holds the character NUL"
            raise Refusal("invalid-parameter", said) from None
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise Unavailable("the database does not answer") from error


def _reached(conn: Connection, projection: str | None) -> int:
    builds = live_builds(conn)
    return min(builds[name].position for name in ([projection] if projection else PROJECTIONS))


def _report(
    conn: Connection, name: str, given: Mapping[str, Any], zone: str, scope: Scope
) -> Mapping[str, Any]:
    report = find(name)
    return reports.run(conn, report, read(report, given, zone), scope)


def _evidence(
    conn: Connection,
    name: str,
    bucket: str,
    given: Mapping[str, Any],
    zone: str,
    scope: Scope,
    after: int,
    limit: int,
) -> tuple[int, list[Mapping[str, Any]], int | None]:
    report = find(name)
    params = read(report, given, zone)
    page = reports.evidence(conn, report, params, bucket, scope, after=after, limit=limit)
    return page.position, list(page.rows), page.next
