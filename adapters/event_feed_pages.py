"""Pages of the log for the change feed and for webhooks: who caused each event, and which leads."""

from collections.abc import Collection, Sequence
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from adapters.postgres import log_reader
from adapters.postgres.codec import IS_SEALED, decode
from adapters.postgres.encryption import keys_to_open
from adapters.postgres.lead_queries import CODES
from adapters.postgres.log_reader import COLUMNS, LogRow
from adapters.postgres.tables import Connection
from aggregates.lead.events import LeadCaptured
from aggregates.lead.evolve import fold
from aggregates.lead.replay import Told, named
from aggregates.lead.state import Lead
from commands.feed import OF_LEADS, Page, Wanted

EVENTS = 200
SPAN = 20_000
"""Positions that one question looks at: it ends soon, however little is wanted of them."""

NEXT = (
    f"SELECT {COLUMNS} FROM log.leadlog_events"
    " WHERE notification_id > %(after)s AND notification_id <= %(upto)s"
    " AND (%(topics)s::text[] IS NULL OR topic = ANY (%(topics)s))"
    " ORDER BY notification_id LIMIT %(limit)s"
)
OF_ONE_LEAD = NEXT.replace("WHERE", "WHERE originator_id = %(lead)s AND")
# The streams as they are at a position, to be folded.
STREAMS = (
    f"SELECT {COLUMNS} FROM log.leadlog_events WHERE originator_id = ANY (%s)"
    " ORDER BY originator_id, originator_version"
)


def read_page(
    conn: Connection, after: int, wanted: Wanted, *, with_leads: bool, limit: int = EVENTS
) -> Page:
    """The next events behind a position; `with_leads` says of the leads in them how they are."""
    upto = log_reader.head(conn)
    if wanted.lead is None:
        upto = min(upto, after + SPAN)
    rows = _rows(conn, after, upto, wanted, limit)
    if len(rows) == limit:
        upto = rows[-1][0]
    events = _told(conn, rows)
    streams = {row[1] for row in rows if row[4].startswith(OF_LEADS)} | named(events)
    codes: dict[UUID, str] = dict(
        conn.execute(CODES, (list(streams), LeadCaptured.topic)).fetchall()
    )
    leads = _leads(conn, streams) if with_leads else None
    return Page(after, max(after, upto), events, codes, leads)


def _rows(conn: Connection, after: int, upto: int, wanted: Wanted, limit: int) -> list[LogRow]:
    query = NEXT if wanted.lead is None else OF_ONE_LEAD
    given = {
        "after": after,
        "upto": upto,
        "topics": None if wanted.topics is None else sorted(wanted.topics),
        "lead": wanted.lead,
        "limit": limit,
    }
    return conn.cursor(binary=True).execute(query, given).fetchall()


def _told(conn: Connection, rows: Sequence[LogRow]) -> list[Told]:
    """Something sealed without a key is of an erased lead: anything else does not come so far."""
    keys = keys_to_open(conn, {row[1] for row in rows if IS_SEALED in row[5]})
    return [
        Told(
            recorded,
            topic,
            decode(topic, state)[1],
            erased=IS_SEALED in state and recorded.stream not in keys,
        )
        for recorded, (*_, topic, state) in zip(log_reader.decode(rows, keys), rows, strict=True)
    ]


def _leads(conn: Connection, streams: Collection[UUID]) -> dict[UUID, Lead]:
    """The leads as they are, without what is personal: the log knows sooner than read models."""
    rows = conn.cursor(binary=True).execute(STREAMS, (list(streams),)).fetchall()
    return {
        stream: fold(Lead(stream), (recorded.event for recorded in log_reader.decode(list(own))))
        for stream, own in groupby(rows, key=itemgetter(1))
    }
