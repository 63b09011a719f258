"""Is the log whole, and is it the one that was signed? Reads all of it, in flat memory.

Every leaf is hashed anew from the stored bytes and compared with the stored hash; the tree that
grows of them is compared with the stored tiles and, at each checkpoint, with the signed root. So a
changed event is named exactly while the stored hashes are the old ones; where they were forged as
well, the two checkpoints are named between which it lies.

The log is read twice: PostgreSQL first sorts the versions of all streams, on disk where they do not
fit into its `work_mem`; then every event passes through this process, a few thousand at a time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adapters.event_leaf import StoredEvent, recorded_us
from adapters.merkle import HASH_BYTES, leaf_hash
from adapters.postgres.codec import EVENT_TYPES, decode
from adapters.postgres.tables import Connection
from adapters.postgres.tile_store import BadTree, origin, public_keys, read_tiles
from adapters.signed_notes import BadNote, Checkpoint, Verifier, read_checkpoint
from adapters.tiles import WIDTH, Growth, Place, Tile

# The first position whose version does not follow its stream's.
BROKEN_STREAM = (
    "SELECT notification_id FROM"
    " (SELECT notification_id, originator_version,"
    " row_number() OVER (PARTITION BY originator_id ORDER BY originator_version) AS n,"
    " lag(notification_id) OVER (PARTITION BY originator_id ORDER BY originator_version) AS before"
    " FROM log.leadlog_events) e"
    " WHERE originator_version <> n OR notification_id < before ORDER BY notification_id LIMIT 1"
)
ALL = (
    "SELECT notification_id, originator_id, originator_version, timestamptz_send(recorded_at),"
    " topic, state FROM log.leadlog_events ORDER BY notification_id"
)
CHECKPOINTS = "SELECT size, root, note FROM audit.checkpoints ORDER BY size, number"
TILES = "SELECT count(*) FROM audit.tiles"
ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Fault:
    """The first thing found wrong, in words, and at which position; None = no single one."""

    position: int | None
    what: str

    def __str__(self) -> str:
        return self.what if self.position is None else f"position {self.position} {self.what}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint to compare with: what it is called in a complaint, and what it says."""

    name: str
    checkpoint: Checkpoint
    outside: bool = True
    """Kept outside the database, where its forger does not reach."""


@dataclass(slots=True)
class Checked:
    """What was found: how many events, how many of them under a checkpoint, and what is wrong."""

    events: int = 0
    covered: int = 0
    checkpoints: int = 0
    fault: Fault | None = None


class _Found(Exception):  # noqa: N818 - ends the reading
    """The first fault."""

    def __init__(self, position: int | None, what: str) -> None:
        super().__init__(what)
        self.fault = Fault(position, what)


def check_log(
    conn: Connection, against: Sequence[Kept] = (), trusted: Sequence[Verifier] | None = None
) -> Checked:
    """Check the whole log in one snapshot.

    `against`: checkpoints that were kept outside, their signatures checked. `trusted`: the keys
    that may have signed the stored ones; None = those that the database names.
    """
    checked = Checked()
    try:
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            row = conn.execute(BROKEN_STREAM).fetchone()
            keys = trusted if trusted is not None else [k.verifier for k in public_keys(conn)]
            _Check(conn, checked, keys, against, row[0] if row else None).run()
    except BadTree as error:
        checked.fault = Fault(None, error.what)
    except _Found as found:
        checked.fault = found.fault
    return checked


@dataclass(slots=True)
class _Expected:
    """Checkpoints in order of size, the stored ones merged with those kept outside."""

    stored: Iterator[Kept]
    outside: list[Kept]
    _next: Kept | None = field(init=False)

    def __post_init__(self) -> None:
        self.outside.sort(key=lambda kept: kept.checkpoint.size)
        self._next = next(self.stored, None)

    def upto(self, size: int) -> Iterator[Kept]:
        """Those of this size or below that have not been given out."""
        while (kept := self.first()) and kept.checkpoint.size <= size:
            if kept is self._next:
                self._next = next(self.stored, None)
            else:
                self.outside.pop(0)
            yield kept

    def first(self) -> Kept | None:
        """The one that is next."""
        both = [kept for kept in (self._next, *self.outside[:1]) if kept]
        return min(both, key=lambda kept: kept.checkpoint.size, default=None)


class _Check:
    """One walk along the log."""

    def __init__(
        self,
        conn: Connection,
        checked: Checked,
        keys: Sequence[Verifier],
        against: Sequence[Kept],
        broken: int | None,
    ) -> None:
        self._conn, self._checked, self._broken = conn, checked, broken
        self._expected = _Expected(_stored_checkpoints(conn, keys), list(against))
        self._covered = _newest_size(conn)
        self._growth = Growth()
        self._leaves = b""  # the stored hashes of the leaves around here
        self._suspect: int | None = None  # whose stored hash is another one
        self._agreed = {True: 0, False: 0}  # up to where one kept outside has, or a stored one
        self._recorded: int | None = None

    def run(self) -> None:
        """Raises _Found at the first fault."""
        position = 0
        for kept in self._expected.upto(0):
            self._check_root(kept)
        for event in _stream(self._conn):
            self._check_place(event, position)
            position = event.position
            if position <= self._covered:
                self._check_leaf(event)
            else:
                self._grow(event.hash())
            if self._suspect is None:
                self._check_content(event)
            for kept in self._expected.upto(position):
                self._check_root(kept)
            if position == self._covered:
                self._check_tiles(self._growth.unfinished())
            self._checked.events = position
        self._check_end(position)
        self._checked.covered = self._covered

    def _check_place(self, event: StoredEvent, before: int) -> None:
        """Positions without holes, times that do not go back."""
        if event.position <= before:
            self._stop(event.position, "stands there where no event belongs")
        if event.position != before + 1:
            self._stop(before + 1, f"is missing: the next event stands at {event.position}")
        if self._recorded is not None and event.recorded_us < self._recorded:
            self._accuse(event.position, "was recorded before the position before it")
        self._recorded = event.recorded_us

    def _check_leaf(self, event: StoredEvent) -> None:
        """The stored hash of the leaf is that of the row as it is."""
        index = event.position - 1
        if index % WIDTH == 0:
            place = Place(0, index // WIDTH)
            self._leaves = read_tiles(self._conn, [place]).get(place, b"")
        offset = index % WIDTH * HASH_BYTES
        leaf = leaf_hash(event.leaf())
        if self._suspect is None and leaf != self._leaves[offset : offset + HASH_BYTES]:
            self._suspect = event.position
        self._grow(leaf)

    def _grow(self, leaf: bytes) -> None:
        full = list(self._growth.append(leaf))
        if self._growth.size <= self._covered:
            self._check_tiles(full)

    def _check_content(self, event: StoredEvent) -> None:
        """Streams in order, bytes that are an event."""
        if event.position == self._broken:
            self._accuse(event.position, "does not follow its stream's version before it")
        if why := _unreadable(event.topic, event.state):
            self._accuse(event.position, why)

    def _check_root(self, kept: Kept) -> None:
        """The tree so far is the one that was signed."""
        if self._growth.root() == kept.checkpoint.root:
            if self._suspect is not None:
                raise _Found(None, _forged_tile(self._suspect, kept))
            self._agreed[kept.outside] = kept.checkpoint.size
        elif self._suspect is not None:
            raise _Found(self._suspect, f"is not what was signed: {kept.name} covers another event")
        else:
            # Whoever rewrote the log with the key at hand rewrote the stored checkpoints, too.
            good = self._agreed[True] if kept.outside else max(self._agreed.values())
            raise _Found(
                None,
                f"between positions {good + 1} and {kept.checkpoint.size} the log is not what"
                f" {kept.name} covers, and its stored hashes were changed with it",
            )
        self._checked.checkpoints += 1

    def _check_tiles(self, tiles: Sequence[Tile]) -> None:
        """The stored hashes of subtrees are those of the leaves."""
        if self._suspect is not None or not tiles:
            return
        stored = read_tiles(self._conn, [tile.place for tile in tiles])
        for place, hashes in tiles:
            if stored.get(place) != hashes:
                raise _Found(None, f"the stored hashes of level {place.level}, tile {place.nth}"
                             " are not those of the events")  # fmt: skip

    def _check_end(self, last: int) -> None:
        """The log ends behind its last checkpoint, and the tiles with it."""
        if kept := self._expected.first():
            self._stop(last + 1, f"is missing: the log ends at {last},"
                       f" {kept.name} covers {kept.checkpoint.size} events")  # fmt: skip
        tiles = self._conn.execute(TILES).fetchone()
        assert tiles is not None
        if tiles[0] != _tiles_of(self._covered):
            raise _Found(None, "there are hashes of events that no checkpoint covers")

    def _accuse(self, position: int, what: str) -> None:
        """Stop at a fault of one event, unless the stored hash shows that it was changed."""
        if position > self._covered:
            self._stop(position, what)
        if self._suspect is None:
            raise _Found(position, what)

    def _stop(self, position: int, what: str) -> None:
        """Stop at a fault, or at the event before it whose stored hash is another one."""
        if self._suspect is not None:
            raise _Found(self._suspect, "is not what was signed: its stored hash is another one")
        raise _Found(position, what)


def _stream(conn: Connection) -> Iterator[StoredEvent]:
    with conn.cursor(name="audit", binary=True) as cursor:
        cursor.itersize = ROWS_AT_ONCE
        for position, stream, version, recorded, topic, state in cursor.execute(ALL):
            yield StoredEvent(position, stream, version, recorded_us(recorded), topic, state)


def _stored_checkpoints(conn: Connection, keys: Sequence[Verifier]) -> Iterator[Kept]:
    """The checkpoints of the database. _Found at the first that is not signed, or not for this."""
    name = origin(conn)
    with conn.cursor(name="checkpoints") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        for size, root, text in cursor.execute(CHECKPOINTS):
            try:
                found = read_checkpoint(text, keys)
            except BadNote as error:
                raise _Found(
                    None, f"the checkpoint of {size} events is not valid: {error}"
                ) from None
            if found != Checkpoint(name, size, bytes(root)):
                raise _Found(
                    None, f"the checkpoint of {size} events says something else than its row"
                )
            yield Kept(f"the checkpoint of {size} events", found, outside=False)


def _newest_size(conn: Connection) -> int:
    row = conn.execute("SELECT coalesce(max(size), 0) FROM audit.checkpoints").fetchone()
    assert row is not None
    return int(row[0])


def _tiles_of(size: int) -> int:
    """How many tiles a tree has."""
    count, over = 0, size
    while over:
        count += -(-over // WIDTH)
        over //= WIDTH
    return count


def _forged_tile(position: int, kept: Kept) -> str:
    return (
        f"the stored hash of position {position} was changed; the event itself is what {kept.name}"
        " covers"
    )


def _unreadable(topic: str, state: bytes) -> str | None:
    """Why an event cannot be read, if so. An unknown topic may come from a newer program."""
    try:
        decode(topic, state)
    except ValueError as error:
        return f"its bytes are no {topic} event: {error}"
    return None if topic in EVENT_TYPES else f"topic {topic} is unknown to this program"
