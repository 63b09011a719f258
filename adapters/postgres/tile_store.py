"""The Merkle tree in PostgreSQL: tiles, checkpoints, and the proofs that are made of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from adapters.event_leaf import StoredEvent, recorded_us
from adapters.merkle import (
    HASH_BYTES,
    Node,
    Range,
    consistency_ranges,
    inclusion_ranges,
    nodes_of,
    range_hash,
)
from adapters.postgres.tables import Connection
from adapters.signed_notes import BadNote, Verifier
from adapters.tiles import Growth, Place, Tile, node_hashes, tails_of, tile_of

NEWEST = "SELECT size, root, note FROM audit.checkpoints ORDER BY number DESC LIMIT 1"
KEYS = "SELECT verifier, since, until FROM audit.signing_keys ORDER BY number"
ORIGIN = "SELECT value FROM log.company WHERE name = 'origin'"
TILES = (
    "SELECT t.level, t.index, t.hashes FROM unnest(%s::smallint[], %s::bigint[])"
    " AS w (level, index) JOIN audit.tiles t USING (level, index)"
)
KEEP = (
    "INSERT INTO audit.tiles (level, index, hashes)"
    " SELECT * FROM unnest(%s::smallint[], %s::bigint[], %s::bytea[])"
    " ON CONFLICT (level, index) DO UPDATE SET hashes = excluded.hashes"
)


ROWS = (
    "SELECT notification_id, originator_id, originator_version, timestamptz_send(recorded_at),"
    " topic, state FROM log.leadlog_events"
    " WHERE originator_id = %s AND originator_version > %s ORDER BY originator_version LIMIT %s"
)
VERIFY = "run `leadlog audit verify`"


class BadTree(Exception):  # noqa: N818 - a verdict on the database, not a defect
    """What is stored of the tree does not fit together: what is wrong, and what to do; one line."""

    def __init__(self, what: str, advice: str = VERIFY) -> None:
        super().__init__(f"{what}: {advice}")
        self.what = what


class StoredCheckpoint(NamedTuple):
    """A checkpoint as it is kept: the tree's size, its root, the signed note."""

    size: int
    root: bytes
    note: str


class Proven(NamedTuple):
    """Events of a lead with the proof of each, under one checkpoint; and those behind it."""

    checkpoint: StoredCheckpoint | None
    events: Sequence[tuple[StoredEvent, Sequence[bytes]]]
    uncovered: Sequence[StoredEvent]


class PublicKey(NamedTuple):
    """A key that verifies checkpoints, and for how long it was in use."""

    verifier: Verifier
    since: datetime
    until: datetime | None


def newest(conn: Connection) -> StoredCheckpoint | None:
    """The newest checkpoint; None while there is none."""
    row = conn.execute(NEWEST).fetchone()
    return StoredCheckpoint(*row) if row else None


def origin(conn: Connection) -> str:
    """What the log is called in its checkpoints."""
    row = conn.execute(ORIGIN).fetchone()
    assert row is not None, "the migration gave it a name"
    return str(row[0])


def public_keys(conn: Connection) -> list[PublicKey]:
    """Every key that ever signed, the oldest first. Raises BadTree."""
    rows = conn.execute(KEYS).fetchall()
    return [PublicKey(read_verifier(text), since, until) for text, since, until in rows]


def read_verifier(text: str) -> Verifier:
    """A key as audit.signing_keys has it. Raises BadTree."""
    try:
        return Verifier.read(text)
    except BadNote as error:
        raise BadTree(f"audit.signing_keys: {error}") from None


def read_tiles(conn: Connection, places: Iterable[Place]) -> dict[Place, bytes]:
    """Those of the tiles that there are."""
    wanted = sorted(set(places))
    levels, indexes = [p.level for p in wanted], [p.nth for p in wanted]
    rows = conn.cursor(binary=True).execute(TILES, (levels, indexes))
    return {Place(level, index): hashes for level, index, hashes in rows}


def keep_tiles(conn: Connection, tiles: Sequence[Tile]) -> None:
    """Store tiles that are new or have grown."""
    levels, indexes = [t.place.level for t in tiles], [t.place.nth for t in tiles]
    conn.cursor().execute(KEEP, (levels, indexes, [t.hashes for t in tiles]), binary=True)


def growth_at(conn: Connection, size: int) -> Growth:
    """The tree of `size` leaves, to grow on. BadTree where tiles are missing."""
    wanted = tails_of(size)
    tiles = read_tiles(conn, [place for place, _ in wanted])
    tails = {p.level: tiles.get(p, b"")[: number * HASH_BYTES] for p, number in wanted}
    if any(len(tails[p.level]) < number * HASH_BYTES for p, number in wanted):
        raise BadTree(f"tiles of the tree of {size} events are missing")
    return Growth(size, tails)


def root_at(conn: Connection, size: int) -> bytes:
    """The root of the tree of `size` leaves, made of the tiles. Raises BadTree."""
    return _hashes(conn, [[(0, size)]])[0][0]


def inclusion_proofs(conn: Connection, positions: Sequence[int], size: int) -> list[list[bytes]]:
    """For each position, the proof that its event is in the tree of `size` events."""
    return _hashes(conn, [inclusion_ranges(position - 1, size) for position in positions])


def prove(conn: Connection, stream: UUID, *, after: int = 0, limit: int | None = None) -> Proven:
    """Prove the events of a lead behind a version; `conn` may read log and tree."""
    last = newest(conn)
    size = last.size if last else 0
    rows = conn.cursor(binary=True).execute(ROWS, (stream, after, limit))
    events = [StoredEvent(p, s, v, recorded_us(at), t, data) for p, s, v, at, t, data in rows]
    covered = [event for event in events if event.position <= size]
    proofs = inclusion_proofs(conn, [event.position for event in covered], size)
    pairs = list(zip(covered, proofs, strict=True))
    return Proven(last, pairs, [event for event in events if event.position > size])


def consistency_proof(conn: Connection, old: int, size: int) -> list[bytes]:
    """The proof that the tree of `size` events begins with that of `old` events."""
    return _hashes(conn, [consistency_ranges(old, size)])[0]


def _hashes(conn: Connection, wanted: Sequence[Sequence[Range]]) -> list[list[bytes]]:
    """The hashes of ranges, read at once."""
    nodes: set[Node] = {node for ranges in wanted for r in ranges for node in nodes_of(r)}
    tiles = read_tiles(conn, map(tile_of, nodes))
    try:
        hash_of = node_hashes(nodes, tiles)
    except KeyError:
        raise BadTree("tiles of the tree are missing") from None
    return [[range_hash(r, hash_of) for r in ranges] for ranges in wanted]
