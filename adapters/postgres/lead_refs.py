"""Finding a lead by what people call it: its UUID, its code, or SOURCE/ID of an import."""

from uuid import UUID

from psycopg import sql

from adapters.postgres.builds import live_builds
from adapters.postgres.tables import Connection

BY_CODE = "SELECT lead FROM {leads} WHERE code = %s"
BY_SOURCE = "SELECT lead FROM {leads} WHERE source_system = %s AND external_id = %s"


def find_lead(conn: Connection, reference: str) -> UUID | None:
    """The lead's stream id; None when no lead is called so. Needs the `leads` read model."""
    try:
        return UUID(reference)
    except ValueError:
        source, slash, external_id = reference.partition("/")
    leads = sql.Identifier(live_builds(conn)["leads"].schema, "leads")
    statement = sql.SQL(BY_SOURCE if slash else BY_CODE).format(leads=leads)
    row = conn.execute(statement, (source, external_id) if slash else (reference,)).fetchone()
    return row[0] if row else None
