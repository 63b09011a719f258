"""A person's list of messages, and the messages that were given up."""

from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres.builds import live_builds
from adapters.postgres.lead_queries import Row
from adapters.postgres.tables import Connection

Place: TypeAlias = tuple[int, int, UUID]
"""Where a page ends: 0 among the unread messages, 1 among the others; position and id."""

MESSAGE = (
    "m.id, m.subject, m.kind, m.recipient, m.position, m.recorded_at, m.created_at, m.code,"
    " m.customer, m.about, m.due_at"
)
# Served by the partial index on what a person has read.
READ = (
    "EXISTS (SELECT FROM {deliveries} r WHERE r.id = m.id AND r.state = 'read'"
    " AND r.recipient = %(recipient)s)"
)
BECAME = (
    "(SELECT coalesce(json_object_agg(d.channel, json_build_object('state', d.state, 'at', d.at,"
    " 'error', d.error)), '{{}}'::json) FROM {deliveries} d WHERE d.id = m.id) AS deliveries"
)
# Found in the index on (recipient, position, id) alone, backwards; only then are rows fetched.
OWN = (
    f"SELECT {MESSAGE}, {BECAME} FROM (SELECT m.id FROM {{notifications}} m"
    " WHERE m.recipient = %(recipient)s AND (m.position, m.id) < (%(position)s, %(id)s)"
)
NEWEST = "ORDER BY m.position DESC, m.id DESC"
FETCHED = f"{NEWEST} LIMIT %(limit)s) AS found JOIN {{notifications}} m USING (id) {NEWEST}"
SEGMENTS = (f"{OWN} AND NOT {READ} {FETCHED}", f"{OWN} AND {READ} {FETCHED}")
# Of each person's messages the oldest unread ones, up to a position.
UNREAD = (
    "SELECT m.id FROM {notifications} m WHERE m.recipient = %(recipient)s"
    f" AND NOT {READ} AND m.position <= %(upto)s ORDER BY m.position, m.id LIMIT %(limit)s"
)
ONE = "SELECT m.id, m.recipient FROM {notifications} m WHERE m.id = %(id)s"
# Served by the partial index on those that are dead; a message that is moot lacks nothing.
DEAD = (
    f"SELECT {MESSAGE}, d.channel, d.error, d.attempts, d.at, d.position AS died"
    " FROM {deliveries} d JOIN {notifications} m ON m.id = d.id"
    " WHERE d.state = 'dead' AND d.error <> 'moot' AND d.position < %(before)s"
    " AND (%(channel)s::text IS NULL OR d.channel = %(channel)s)"
    " ORDER BY d.position DESC LIMIT %(limit)s"
)
END = 2**63 - 1
LAST_ID = UUID(int=2**128 - 1)


def own(
    conn: Connection, recipient: str, *, unread: bool | None, after: Place | None, limit: int
) -> tuple[int, list[Row]]:
    """A person's messages: those that are unread first, the newest first among each.

    `unread` leaves out the others. A row's `segment` is 0 for an unread one, else 1.
    """
    segments = [0, 1] if unread is None else [0 if unread else 1]
    first, position, message = after or (segments[0], END, LAST_ID)
    rows: list[Row] = []
    reflected = 0
    for segment in [s for s in segments if s >= first]:
        place = (position, message) if segment == first else (END, LAST_ID)
        given = {"recipient": recipient, "limit": limit - len(rows)}
        given |= {"position": place[0], "id": place[1]}
        reflected, found = _ask(conn, SEGMENTS[segment], given)
        rows += [row | {"segment": segment} for row in found]
        if len(rows) == limit:
            break
    return reflected, rows


def unread(conn: Connection, recipient: str, *, upto: int | None, limit: int) -> Sequence[UUID]:
    """A person's oldest unread messages, up to a position of the log."""
    given = {"recipient": recipient, "upto": END if upto is None else upto, "limit": limit}
    return [row["id"] for row in _ask(conn, UNREAD, given)[1]]


def recipient_of(conn: Connection, message: UUID) -> str | None:
    """Whom a message is for; None for one that there is not."""
    rows = _ask(conn, ONE, {"id": message})[1]
    return rows[0]["recipient"] if rows else None


def dead(
    conn: Connection, *, channel: str | None, before: int | None, limit: int
) -> tuple[int, list[Row]]:
    """Messages that were given up, the last one first; `died` is where in the log."""
    given = {"channel": channel, "before": END if before is None else before, "limit": limit}
    return _ask(conn, DEAD, given)


def _ask(conn: Connection, statement: str, given: dict[str, Any]) -> tuple[int, list[Row]]:
    build = live_builds(conn)["notifications"]
    asked = sql.SQL(statement).format(
        notifications=sql.Identifier(build.schema, "notifications"),
        deliveries=sql.Identifier(build.schema, "deliveries"),
    )
    return build.position, conn.cursor(row_factory=dict_row).execute(asked, given).fetchall()
