"""What the relay reads of the log, and its checkpoint."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from adapters.kafka.message import CloudEvent
from adapters.postgres import leases
from adapters.postgres.log_reader import COLUMNS, Connection, LogRow
from adapters.postgres.tile_store import origin
from aggregates.lead.events import LeadCaptured

LEAD = "lead."
CODES_KEPT = 50_000

LISTEN = "LISTEN leadlog_events"
AFTER = (
    f"SELECT {COLUMNS} FROM log.leadlog_events WHERE notification_id > %s"
    " ORDER BY notification_id LIMIT %s"
)
AT = f"SELECT {COLUMNS} FROM log.leadlog_events WHERE notification_id = %s"
# The event that gave a lead its code: as a rule the first of its stream.
CAPTURED = (
    "SELECT s.id, e.originator_version, e.state FROM unnest(%s::uuid[]) AS s (id)"
    " CROSS JOIN LATERAL (SELECT originator_version, state FROM log.leadlog_events"
    " WHERE originator_id = s.id AND topic = %s ORDER BY originator_version LIMIT 1) AS e"
)
# Another topic than last time has nothing yet.
RESUME = (
    "UPDATE relay.checkpoint SET topic = %(topic)s,"
    " position = CASE WHEN topic = %(topic)s THEN position ELSE 0 END RETURNING position"
)
MOVE = "UPDATE relay.checkpoint SET position = %s, at = clock_timestamp()"


class _Coded(msgspec.Struct):
    code: str = ""


_code = msgspec.json.Decoder(_Coded).decode


class RelayStore:
    """On a connection in autocommit that acts as `leadlog_projector` and holds the relay's lease.

    Made for a topic by its id: `position` is the last one that the topic is known to hold.
    """

    def __init__(self, conn: Connection, topic: UUID) -> None:
        self._conn = conn
        self._codes: dict[UUID, tuple[int, str]] = {}
        self.source = origin(conn)
        row = conn.execute(RESUME, {"topic": topic}).fetchone()
        assert row is not None, "the migration made the row"
        self.position = int(row[0])
        conn.execute(LISTEN)

    def after(self, position: int, limit: int) -> list[LogRow]:
        """The next events behind a position."""
        cursor = self._conn.cursor(binary=True)
        return cursor.execute(AFTER, (position, limit), prepare=True).fetchall()

    def codes(self, rows: Sequence[LogRow]) -> list[str]:
        """The code of the lead that each event is of, "" where it has none yet or is of no lead."""
        wanted = {row[1] for row in rows if row[4].startswith(LEAD)}
        if missing := wanted - self._codes.keys():
            if len(self._codes) > CODES_KEPT:
                self._codes.clear()
                missing = wanted
            found = self._conn.execute(CAPTURED, (list(missing), LeadCaptured.topic), prepare=True)
            self._codes |= {stream: (since, _code(state).code) for stream, since, state in found}
        return [self._code_at(stream, version) for _, stream, version, *_ in rows]

    def _code_at(self, stream: UUID, version: int) -> str:
        since, code = self._codes.get(stream, (0, ""))
        return code if version >= since else ""

    def holds(self, event: CloudEvent) -> bool:
        """Whether the message is of an event that stands in this log as the message has it."""
        cursor = self._conn.cursor(binary=True)
        row = cursor.execute(AT, (event.position,)).fetchone()
        if row is None or event.source != self.source:
            return False
        _, stream, version, recorded_at, topic, state = row
        as_stored = (f"{stream}/{version}", recorded_at, topic, state)
        return (event.id, event.time, event.type, bytes(event.data)) == as_stored

    def move(self, position: int) -> None:
        """All up to the position is acknowledged."""
        self._conn.execute(MOVE, (position,), prepare=True)
        self.position = position

    def listen(self) -> None:
        """Wait for a hint that there is more; finds out when the lease is lost."""
        for _ in self._conn.notifies(timeout=leases.POLL_SECONDS, stop_after=1):
            pass
