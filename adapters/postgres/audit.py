"""Reading the log as an auditor: is it whole, and what happened to one lead, step by step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters.postgres.codec import EVENT_TYPES, decode
from adapters.postgres.tables import Connection
from aggregates.event import Event, Meta
from aggregates.lead.evolve import evolve
from aggregates.lead.state import Lead
from aggregates.privacy import mask_event, mask_field, mask_text

# The first position that does not follow the one before it, or was recorded before it.
BROKEN_ORDER = (
    "SELECT notification_id, before FROM (SELECT notification_id, recorded_at,"
    " coalesce(lag(notification_id) OVER w, 0) AS before,"
    " lag(recorded_at) OVER w AS recorded_before"
    " FROM log.leadlog_events WINDOW w AS (ORDER BY notification_id)) e"
    " WHERE notification_id <> before + 1 OR recorded_at < recorded_before"
    " ORDER BY notification_id LIMIT 1"
)
# The first position whose version does not follow its stream's.
BROKEN_STREAM = (
    "SELECT notification_id, originator_version, n FROM"
    " (SELECT notification_id, originator_version,"
    " row_number() OVER (PARTITION BY originator_id ORDER BY originator_version) AS n,"
    " lag(notification_id) OVER (PARTITION BY originator_id ORDER BY originator_version) AS before"
    " FROM log.leadlog_events) e"
    " WHERE originator_version <> n OR notification_id < before ORDER BY notification_id LIMIT 1"
)
ALL = "SELECT notification_id, topic, state FROM log.leadlog_events ORDER BY notification_id"
STREAM = (
    "SELECT notification_id, originator_version, recorded_at, topic, state"
    " FROM log.leadlog_events WHERE originator_id = %s ORDER BY originator_version"
)
COUNTED = frozenset((
    "version", "entries", "suspects", "attachments", "shared_with", "explanation",
))  # fmt: skip
"""What a lead gathers over its life: an event says what it adds, the whole would be said each time.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing found wrong, and where."""

    position: int
    what: str


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a lead: on both time axes, who caused it, what it changed, and what else it
    says; both masked.
    """

    position: int
    version: int
    topic: str
    occurred_at: datetime | None
    recorded_at: datetime
    meta: Meta
    changes: dict[str, tuple[Any, Any]]
    says: dict[str, Any]


def check_log(conn: Connection) -> tuple[int, Fault | None]:
    """Check order, streams and the bytes of every event; returns how many events there are.

    Runs in one snapshot, in memory that does not grow with the log.
    """
    conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    for statement, what in (
        (BROKEN_ORDER, "does not follow the position before it"),
        (BROKEN_STREAM, "does not follow its stream's version before it"),
    ):
        if row := conn.execute(statement).fetchone():
            return 0, Fault(row[0], what)
    count = 0
    for position, topic, state in _streamed(conn):
        count = position
        if fault := _unreadable(topic, state):
            return count, Fault(position, fault)
    return count, None


def replay(conn: Connection, stream: UUID) -> Iterator[Step]:
    """A lead's life, event by event."""
    lead = Lead(stream)
    cursor = conn.cursor(binary=True)
    for position, version, recorded_at, topic, state in cursor.execute(STREAM, (stream,)):
        event, meta = decode(topic, state)
        before, lead = lead, evolve(lead, event)
        changes = _changes(before, lead)
        yield Step(
            position,
            version,
            topic,
            event.occurred_at,
            recorded_at,
            meta,
            changes,
            _says(event, changes),
        )


def _streamed(conn: Connection) -> Iterator[tuple[int, str, bytes]]:
    with conn.cursor(name="audit", binary=True) as cursor:
        cursor.itersize = 5_000
        yield from cursor.execute(ALL)


def _unreadable(topic: str, state: bytes) -> str | None:
    """Why an event cannot be read, if so. An unknown topic may come from a newer program."""
    try:
        decode(topic, state)
    except ValueError as error:
        return f"its bytes are no {topic} event: {error}"
    return None if topic in EVENT_TYPES else f"topic {topic} is unknown to this program"


def _changes(before: Lead, after: Lead) -> dict[str, tuple[Any, Any]]:
    """Field -> (value before, value after), masked, for the fields that differ."""
    old, new = _values(before), _values(after)
    return {
        mask_text(name): (mask_field(name, old.get(name)), mask_field(name, new.get(name)))
        for name in {**old, **new}
        if old.get(name) != new.get(name)
    }


def _values(lead: Lead) -> dict[str, Any]:
    """Every value of a lead under a name of its own: an attribute may be called like a field."""
    state = {name: value for name, value in vars(lead).items() if name not in COUNTED}
    profile, attributes = state.pop("profile"), state.pop("attributes")
    return {**state, **profile, **{f"attribute:{name}": v for name, v in attributes.items()}}


def _says(event: Event, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Field -> value, masked, of what the event says and no change shows."""
    shown = mask_event(event)
    said = {field.name: getattr(shown, field.name) for field in fields(shown)}
    said |= said.pop("details", {})
    return {
        name: value
        for name, value in said.items()
        if value not in (None, "", (), {}) and name != "occurred_at"
        if not changes.keys() & {name, f"attribute:{name}"}
    }
