"""Which master key a database is under, and the leads' keys wrapped anew by another one."""

from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

import psycopg

from adapters.keyring import ID_BYTES, Keyring, master_id, use_master_keys
from adapters.master_keys import MasterKeyMissingError, ensure_master_key, read_master_keys
from adapters.settings import Settings

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

CURRENT = "SELECT value FROM log.company WHERE name = 'master_key'"
SET = (
    "INSERT INTO log.company (name, value) VALUES ('master_key', %s)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
LOCK = "SELECT pg_advisory_xact_lock(7220502)"
BATCH = 5_000
LEDGER_KEY, LEDGER_KEY_BYTES = "ledger_key", 32
"""The key of fingerprints: what it is called, in `log.company` and where it is wrapped."""
FIND_LEDGER_KEY = "SELECT value FROM log.company WHERE name = 'ledger_key' FOR UPDATE"
KEEP_LEDGER_KEY = "UPDATE log.company SET value = %s WHERE name = 'ledger_key'"
# Keys that another master key wraps, behind a stream; locked, or an erasure could come between.
OTHERS = (
    "SELECT stream, wrapped FROM privacy.keys WHERE stream > %s AND substr(wrapped, 1, %s) <> %s"
    " ORDER BY stream LIMIT %s FOR UPDATE"
)
WRAPPED_BY = (
    "SELECT encode(substr(wrapped, 1, %s), 'hex'), count(*) FROM privacy.keys GROUP BY 1 ORDER BY 1"
)
LOST = "SELECT count(*), min(stream::text) FROM audit.lost_keys"
REWRAP = (
    "UPDATE privacy.keys k SET wrapped = n.wrapped"
    " FROM unnest(%s::uuid[], %s::bytea[]) AS n (stream, wrapped) WHERE k.stream = n.stream"
)


def require_master_key(dsn: str, settings: Settings) -> None:
    """Raise StartupError without a master key that the database is under; a database that is
    under none yet is from now on under the one in use. This process reads and writes by them.
    """
    use_master_keys(settings)
    with psycopg.connect(dsn) as conn:
        conn.execute(LOCK)
        row = conn.execute(CURRENT).fetchone()
        if row is None:
            ensure_master_key(settings)
            conn.execute(SET, (_id(read_master_keys(settings)[0]),))
            return
        noted, held = row[0].split(), [_id(key) for key in read_master_keys(settings)]
        if missing := [wanted for wanted in noted if wanted not in held]:
            raise MasterKeyMissingError(missing[0])
        if held[0] not in noted:  # it seals from now on, also without a rotation
            conn.execute(SET, (" ".join((held[0], *noted)),))


def wrapped_by(conn: Connection) -> dict[str, int]:
    """How many leads' keys each master key wraps, by its id in hex."""
    return dict(conn.execute(WRAPPED_BY, (ID_BYTES,)).fetchall())


def lost_keys(conn: Connection) -> tuple[int, str | None]:
    """How many leads hold something sealed without a key or an erasure, and the first one's id."""
    row = conn.execute(LOST).fetchone()
    assert row is not None
    return row[0], row[1]


def ledger_key_under(conn: Connection) -> str | None:
    """The id of the master key that wraps the key of fingerprints; None = there is none yet."""
    kept = _ledger_key(conn)
    return kept[:ID_BYTES].hex() if kept else None


def is_under_way(conn: Connection, masters: Sequence[bytes]) -> bool:
    """Whether a rotation to the first of the master keys was cut short."""
    return not set(_used(conn)) <= {_id(masters[0])}


def rewrap_all(conn: Connection, keys: Keyring, masters: Sequence[bytes]) -> int:
    """Wrap every lead's key by the first of the master keys, and the key of fingerprints; returns
    how many leads' keys were under another.

    Killed at any point it can be run again: until it is through, the database is under the others,
    too. Captures that go on meanwhile may still use another one: it passes until none is left.
    """
    _note_used(conn, masters)
    count = 0
    while done := _rewrap_pass(conn, keys, master_id(masters[0])):
        count += done
    _rewrap_ledger_key(conn, keys)
    _note_used(conn, masters)
    return count


def _note_used(conn: Connection, masters: Sequence[bytes]) -> None:
    """What the database is under: the first master key, and those that wrap a key."""
    with conn.transaction():
        conn.execute(LOCK)
        used = dict.fromkeys((_id(masters[0]), *_used(conn)))
        conn.execute(SET, (" ".join(used),))


def _used(conn: Connection) -> list[str]:
    under = ledger_key_under(conn)
    return [*wrapped_by(conn), *([under] if under else [])]


def _rewrap_ledger_key(conn: Connection, keys: Keyring) -> None:
    with conn.transaction():
        if kept := _ledger_key(conn):
            again = keys.wrap_secret(LEDGER_KEY, keys.unwrap_secret(LEDGER_KEY, kept))
            conn.execute(KEEP_LEDGER_KEY, (again.hex(),))


def _ledger_key(conn: Connection) -> bytes | None:
    """The wrapped key; None while there is none, or as an earlier program left it, in clear."""
    row = conn.execute(FIND_LEDGER_KEY).fetchone()
    kept = bytes.fromhex(row[0]) if row else b""
    return kept if len(kept) > LEDGER_KEY_BYTES else None


def _rewrap_pass(conn: Connection, keys: Keyring, current: bytes) -> int:
    count, after = 0, UUID(int=0)
    while True:
        with conn.transaction():
            rows = conn.execute(OTHERS, (after, ID_BYTES, current, BATCH)).fetchall()
            if not rows:
                return count
            streams = [stream for stream, _ in rows]
            wrapped = [keys.rewrap(stream, old) for stream, old in rows]
            conn.execute(REWRAP, (streams, wrapped))
        count, after = count + len(rows), streams[-1]


def _id(master: bytes) -> str:
    return master_id(master).hex()
