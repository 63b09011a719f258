"""Webhooks as rows: what administrators set, and how far the deliveries are.

What a delivery writes names the place that it started from: whoever moved the webhook meanwhile, an
administrator or another worker, wins.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from adapters.postgres.session import Session
from commands.webhooks import CreateWebhook, DeadMessage, Webhook

COLUMNS = ", ".join(Webhook.__dataclass_fields__)
HEAD = "(SELECT coalesce(max(notification_id), 0) FROM log.leadlog_events)"
DEAD = ", ".join(DeadMessage._fields)
CHANGEABLE = ("url", "topics", "description", "disabled", "attempts", "failing_since", "next_try",
              "refusals", "secret", "old_secret_until")  # fmt: skip

ADD = (
    "INSERT INTO outbox.webhooks (id, url, description, topics, position, created_by, changed_by)"
    f" SELECT %(id)s::uuid, %(url)s::text, %(description)s::text, %(topics)s::text[], {HEAD},"
    " %(by)s::text, %(by)s::text WHERE (SELECT count(*) FROM outbox.webhooks) < %(most)s"
    f" ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING {COLUMNS}"
)
CHANGE = (
    "UPDATE outbox.webhooks SET {}, changed_at = now(), changed_by = %(by)s"
    f" WHERE id = %(id)s RETURNING {COLUMNS}"
)
REPLAY = (
    f"UPDATE outbox.webhooks SET position = least(%(after)s::bigint, {HEAD}), replay_upto = {HEAD},"
    " attempts = 0, failing_since = NULL, next_try = NULL, error = NULL,"
    f" changed_at = now(), changed_by = %(by)s WHERE id = %(id)s RETURNING {COLUMNS}"
)
REMOVE = "DELETE FROM outbox.webhooks WHERE id = %s RETURNING id"
ALL = f"SELECT {COLUMNS} FROM outbox.webhooks ORDER BY created_at, id"
FIND = f"SELECT {COLUMNS} FROM outbox.webhooks WHERE id = %s"
LIST_DEAD = (
    f"SELECT {DEAD} FROM outbox.dead_webhook_messages WHERE webhook = %s"
    " AND position < coalesce(%s::bigint, 9223372036854775807) ORDER BY position DESC LIMIT %s"
)
RETRY = (
    "UPDATE outbox.dead_webhook_messages SET retried = true WHERE webhook = %s"
    " AND position = coalesce(%s::bigint, position) RETURNING position"
)
# Those that something may be sent to now.
DUE = (
    f"SELECT {COLUMNS} FROM outbox.webhooks w WHERE disabled IS NULL"
    " AND (next_try IS NULL OR next_try <= clock_timestamp())"
    f" AND (position < {HEAD} OR EXISTS (SELECT FROM outbox.dead_webhook_messages d"
    " WHERE d.webhook = w.id AND d.retried))"
)
UNMOVED = (
    "WHERE id = %(id)s AND position = %(position)s AND replay_upto = %(replay_upto)s"
    " AND disabled IS NULL"
)
PASS = (
    "UPDATE outbox.webhooks SET position = %(upto)s, attempts = 0, failing_since = NULL,"
    " next_try = NULL, error = NULL, refusals = CASE WHEN %(delivered)s THEN 0 ELSE refusals END,"
    " delivered_at = CASE WHEN %(delivered)s THEN clock_timestamp() ELSE delivered_at END"
    f" {UNMOVED} RETURNING {COLUMNS}"
)
FAIL = (
    "UPDATE outbox.webhooks SET attempts = attempts + 1, error = %(error)s,"
    " failing_since = coalesce(failing_since, clock_timestamp()),"
    " next_try = clock_timestamp() + %(pause)s::float8 * interval '1 second'"
    f" {UNMOVED} RETURNING {COLUMNS}"
)
DISABLE = (
    "UPDATE outbox.webhooks SET disabled = %(why)s, error = %(error)s"
    f" {UNMOVED} RETURNING {COLUMNS}"
)
BURY = (
    "WITH passed AS (UPDATE outbox.webhooks SET position = %(upto)s, refusals = refusals + 1,"
    " attempts = 0, failing_since = NULL, next_try = NULL, error = %(error)s"
    f" {UNMOVED} RETURNING {COLUMNS}), dead AS ("
    "INSERT INTO outbox.dead_webhook_messages (webhook, position, topic, error, attempts)"
    " SELECT id, %(upto)s, %(topic)s, %(error)s, %(attempts)s FROM passed"
    " ON CONFLICT (webhook, position) DO UPDATE SET error = excluded.error, at = now(),"
    " attempts = excluded.attempts) SELECT * FROM passed"
)
RETRIED = (
    "SELECT position FROM outbox.dead_webhook_messages WHERE webhook = %s AND retried"
    " ORDER BY position LIMIT 100"
)
REVIVED = (
    "DELETE FROM outbox.dead_webhook_messages WHERE webhook = %s AND position = %s RETURNING 1"
)
STILL_DEAD = (
    "UPDATE outbox.dead_webhook_messages SET retried = false, error = %s, attempts = attempts + 1,"
    " at = now() WHERE webhook = %s AND position = %s RETURNING 1"
)


class PostgresWebhooks:
    """Implements `WebhookStore`, and what the deliveries need."""

    def __init__(self, dsn: str, *, most: int) -> None:
        self._session, self._most = Session(dsn, "leadlog_writer"), most

    async def add(self, webhook: UUID, wanted: CreateWebhook, by: str) -> Webhook | None:
        """A new one at the log's end; None when there are as many as there may be."""
        given = {"id": webhook, "by": by, "most": self._most, **wanted.model_dump()}
        return await self._one(ADD, given | {"topics": list(wanted.topics)})

    async def change(self, webhook: UUID, by: str, **values: Any) -> Webhook | None:
        """One with other values; None when there is none."""
        assert values.keys() <= set(CHANGEABLE)
        given = {n: list(v) if isinstance(v, tuple) else v for n, v in values.items()}
        statement = CHANGE.format(", ".join(f"{name} = %({name})s" for name in values))
        return await self._one(statement, {"id": webhook, "by": by, **given})

    async def replay(self, webhook: UUID, after: int, by: str) -> Webhook | None:
        """One that begins again behind a position, which is within the log."""
        return await self._one(REPLAY, {"id": webhook, "after": after, "by": by})

    async def remove(self, webhook: UUID) -> None:
        """Forget one."""
        await self._session.rows(REMOVE, (webhook,))

    async def find(self, webhook: UUID) -> Webhook | None:
        """One."""
        return await self._one(FIND, (webhook,))

    async def all(self) -> Sequence[Webhook]:
        """All, the oldest first."""
        return [_webhook(row) for row in await self._session.rows(ALL, ())]

    async def dead(self, webhook: UUID, before: int | None, limit: int) -> Sequence[DeadMessage]:
        """What was given up, the latest first."""
        rows = await self._session.rows(LIST_DEAD, (webhook, before, limit))
        return [DeadMessage(*row) for row in rows]

    async def retry(self, webhook: UUID, position: int | None) -> int:
        """Have some of it sent once more; how many."""
        return len(await self._session.rows(RETRY, (webhook, position)))

    async def due(self) -> Sequence[Webhook]:
        """Those that something may be sent to now."""
        return [_webhook(row) for row in await self._session.rows(DUE, ())]

    async def passed(self, webhook: Webhook, upto: int, *, delivered: bool) -> Webhook | None:
        """Further in the log; None when somebody else moved it."""
        return await self._moved(PASS, webhook, upto=upto, delivered=delivered)

    async def failed(self, webhook: Webhook, error: str, pause: float) -> Webhook | None:
        """Where it was, to be tried again."""
        return await self._moved(FAIL, webhook, error=error, pause=pause)

    async def bury(self, webhook: Webhook, upto: int, topic: str, error: str) -> Webhook | None:
        """Behind an event that is given up."""
        attempts = webhook.attempts + 1
        return await self._moved(
            BURY, webhook, upto=upto, topic=topic, error=error, attempts=attempts
        )

    async def disable(self, webhook: Webhook, why: str, error: str) -> Webhook | None:
        """Where it is, and there it stays."""
        return await self._moved(DISABLE, webhook, why=why, error=error)

    async def retried(self, webhook: UUID) -> Sequence[int]:
        """What was given up and is to be sent once more."""
        return [position for (position,) in await self._session.rows(RETRIED, (webhook,))]

    async def revived(self, webhook: UUID, position: int) -> None:
        """It was taken now."""
        await self._session.rows(REVIVED, (webhook, position))

    async def still_dead(self, webhook: UUID, position: int, error: str) -> None:
        """It was not."""
        await self._session.rows(STILL_DEAD, (error, webhook, position))

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    async def _moved(self, statement: str, webhook: Webhook, **given: Any) -> Webhook | None:
        names = ("id", "position", "replay_upto")
        place = {name: getattr(webhook, name) for name in names}
        return await self._one(statement, place | given)

    async def _one(self, statement: str, given: Any) -> Webhook | None:
        rows = await self._session.rows(statement, given)
        return _webhook(rows[0]) if rows else None


def _webhook(row: Sequence[Any]) -> Webhook:
    values: Iterator[Any] = (tuple(one) if isinstance(one, list) else one for one in row)
    return Webhook(*values)
