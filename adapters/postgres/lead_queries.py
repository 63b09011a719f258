"""What the API asks about one lead: its history from the log, its follow-ups."""

from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

from psycopg import sql
from psycopg.rows import dict_row

from adapters.postgres import log_reader
from adapters.postgres.builds import Build, live_builds
from adapters.postgres.duplicate_queries import merged_into
from adapters.postgres.log_reader import COLUMNS
from adapters.postgres.row_scope import arguments, within
from adapters.postgres.tables import Connection
from aggregates.directory.scope import Scope
from aggregates.event import Recorded
from aggregates.lead.events import LeadCaptured

Row: TypeAlias = dict[str, Any]

HISTORY = (
    f"SELECT {COLUMNS} FROM log.leadlog_events WHERE originator_id = %s ORDER BY originator_version"
)
# The first capture of each of these leads; their streams are read whole, and they are few.
CODES = (
    "SELECT DISTINCT ON (originator_id) originator_id,"
    " convert_from(state, 'UTF8')::jsonb ->> 'code' FROM log.leadlog_events"
    " WHERE originator_id = ANY (%s) AND topic = %s ORDER BY originator_id, originator_version"
)
VISIBLE = f"SELECT l.lead FROM {{leads}} l WHERE l.lead = ANY (%(wanted)s) AND {within('l')}"
FOLLOW_UPS = (
    "SELECT f.position, f.lead, f.code, f.at, f.recorded_at, f.by, f.method, f.content,"
    " f.feedback, f.next_step, f.next_step_due, f.stage, f.outcome, f.connected, f.late, f.vague,"
    " ARRAY(SELECT a.name FROM {attachments} a WHERE a.lead = f.lead AND a.follow_up = f.code"
    " ORDER BY a.position) AS attachments"
    " FROM {follow_ups} f WHERE f.lead = ANY (%s) AND f.position > %s ORDER BY f.position LIMIT %s"
)


def history(conn: Connection, lead: UUID) -> tuple[int, list[Recorded]]:
    """A position of the log, and the lead's events at least up to there."""
    position = log_reader.head(conn)
    rows = conn.cursor(binary=True).execute(HISTORY, (lead,)).fetchall()
    return position, log_reader.decode_whole(conn, rows)


def known(conn: Connection, leads: Sequence[UUID], scope: Scope) -> dict[UUID, str | None]:
    """Those of the leads that are within a scope, with their codes; None = not captured."""
    codes: dict[UUID, str] = dict(conn.execute(CODES, (list(leads), LeadCaptured.topic)).fetchall())
    visible = leads if scope.everything else _visible(conn, leads, scope)
    return {lead: codes.get(lead) for lead in visible}


def _visible(conn: Connection, leads: Sequence[UUID], scope: Scope) -> list[UUID]:
    """By the read model: a lead of a moment ago may not be there yet."""
    query = sql.SQL(VISIBLE).format(leads=_table(live_builds(conn)["leads"], "leads"))
    rows = conn.execute(query, arguments(scope) | {"wanted": list(leads)}).fetchall()
    return [lead for (lead,) in rows]


def follow_ups(conn: Connection, lead: UUID, after: int, limit: int) -> tuple[int, list[Row]]:
    """The lead's follow-ups recorded behind a position, in order, with their attachments' names.

    Those of the leads merged into it are among them (A1).
    """
    builds = live_builds(conn)
    group = [lead, *merged_into(conn, lead)]
    names = ("follow_ups", "attachments")
    tables = {name: _table(builds[name], name) for name in names}
    cursor = conn.cursor(row_factory=dict_row)
    rows = cursor.execute(sql.SQL(FOLLOW_UPS).format(**tables), (group, after, limit)).fetchall()
    return min(builds[name].position for name in names), rows


def _table(build: Build, name: str) -> sql.Identifier:
    return sql.Identifier(build.schema, name)
