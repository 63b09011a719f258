"""What proves a lead's events: their rows, the newest checkpoint, the hashes between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from adapters.event_leaf import StoredEvent, recorded_us
from adapters.postgres.tables import Connection
from adapters.postgres.tile_store import StoredCheckpoint, inclusion_proofs, newest

ROWS = (
    "SELECT notification_id, originator_id, originator_version, timestamptz_send(recorded_at),"
    " topic, state FROM log.leadlog_events"
    " WHERE originator_id = %s AND originator_version > %s ORDER BY originator_version LIMIT %s"
)


@dataclass(frozen=True, slots=True)
class Proven:
    """Events of a lead with the proof of each, under one checkpoint; and those behind it."""

    sealed: StoredCheckpoint | None
    events: Sequence[tuple[StoredEvent, Sequence[bytes]]]
    uncovered: Sequence[StoredEvent]


def prove(conn: Connection, stream: UUID, *, after: int = 0, limit: int | None = None) -> Proven:
    """Prove the events of a lead behind a version; `conn` may read log and tree."""
    sealed = newest(conn)
    size = sealed.size if sealed else 0
    rows = conn.cursor(binary=True).execute(ROWS, (stream, after, limit))
    events = [StoredEvent(p, s, v, recorded_us(at), t, data) for p, s, v, at, t, data in rows]
    covered = [event for event in events if event.position <= size]
    proofs = inclusion_proofs(conn, [event.position for event in covered], size)
    pairs = list(zip(covered, proofs, strict=True))
    return Proven(sealed, pairs, [event for event in events if event.position > size])
