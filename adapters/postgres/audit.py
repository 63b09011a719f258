"""A lead's history as an auditor reads it: its events, and who caused each."""

from uuid import UUID

from adapters.postgres import log_reader
from adapters.postgres.codec import IS_SEALED, decode
from adapters.postgres.tables import Connection
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.lead.replay import Told

STREAM = (
    f"SELECT {log_reader.COLUMNS} FROM log.leadlog_events"
    " WHERE originator_id = %s ORDER BY originator_version"
)


def history(conn: Connection, lead: UUID) -> tuple[int, list[Told]]:
    """A position of the log, and the lead's events at least up to there with who caused them.

    Every reading of a history by an auditor comes through here, of the API and the command line.
    """
    position = log_reader.head(conn)
    rows = conn.cursor(binary=True).execute(STREAM, (lead,)).fetchall()
    erased = any(topic == PersonalDataErased.topic for *_, topic, _ in rows)
    return position, [
        Told(recorded, topic, decode(topic, state)[1], erased and IS_SEALED in state)
        for recorded, (*_, topic, state) in zip(
            log_reader.decode_whole(conn, rows), rows, strict=True
        )
    ]
