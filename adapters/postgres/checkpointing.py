"""Seals the log: hashes what is new, extends the tree, signs a checkpoint, in one transaction.

Nothing that appends waits for it: the log is read as every reader does. Sealers take turns.
"""

from collections.abc import Sequence

from adapters.key_file import KeyFile
from adapters.merkle import HASH_BYTES
from adapters.postgres import log_reader
from adapters.postgres.tables import Connection
from adapters.postgres.tile_store import (
    StoredCheckpoint,
    BadTree,
    growth_at,
    keep_tiles,
    newest,
    origin,
)
from adapters.settings import StartupError
from adapters.signed_notes import Checkpoint, Signer, Verifier, sign
from adapters.tiles import WIDTH, Growth, split

ROLE = "leadlog_sealer"
BATCH = 64 * WIDTH
"""Events whose hashes are in memory at once."""

LOCK = "SELECT audit.lock_for_sealing()"
# The hashes of the leaves at positions in (after, upto], one behind the other.
LEAVES = (
    r"SELECT string_agg(sha256('\x00'::bytea || audit.leaf(e)), ''::bytea"
    " ORDER BY e.notification_id), count(*), min(e.notification_id)"
    " FROM log.leadlog_events e WHERE e.notification_id > %s AND e.notification_id <= %s"
)
SIGNED = "INSERT INTO audit.checkpoints (size, root, note) VALUES (%s, %s, %s)"
CURRENT = "SELECT verifier FROM audit.signing_keys WHERE until IS NULL"
REGISTER = "INSERT INTO audit.signing_keys (verifier) VALUES (%s)"
RETIRE = "UPDATE audit.signing_keys SET until = clock_timestamp() WHERE until IS NULL"


def make_checkpoint(conn: Connection, keys: KeyFile) -> StoredCheckpoint | None:
    """The newest checkpoint, made now if there are events that none covers; None on an empty log.

    StartupError without the key that signs, BadTree when the log does not go on from the newest
    checkpoint. `conn` acts as `leadlog_sealer`.
    """
    with conn.transaction():
        conn.execute(LOCK)
        last = newest(conn)
        if log_reader.head(conn) == (last.size if last else 0):
            return last
        signer = signer_in_use(conn, keys)
        return _sign(conn, _grown(conn, last), [signer])


def rotate(conn: Connection, keys: KeyFile, *, lost: bool = False) -> Verifier:
    """Sign with a new key from now on. The first checkpoint of the new key, made here, is signed by
    the old one too, unless that is `lost`. Raises as `seal` does.
    """
    with conn.transaction():
        conn.execute(LOCK)
        old = None if lost else signer_in_use(conn, keys)
        new = keys.add(origin(conn))
        conn.execute(RETIRE)
        conn.execute(REGISTER, (str(new.verifier),))
        growth = _grown(conn, newest(conn))
        if growth.size:
            _sign(conn, growth, [old, new] if old else [new])
    if old:
        keys.drop(old.verifier)
    return new.verifier


def _grown(conn: Connection, last: StoredCheckpoint | None) -> Growth:
    """The tree of all events, its tiles kept."""
    growth = growth_at(conn, last.size if last else 0)
    head = log_reader.head(conn)
    if last and growth.root() != last.root:
        raise BadTree("the stored tree is not that of the newest checkpoint" + _VERIFY)
    if head < growth.size:
        raise BadTree(f"the log ends at {head}, its checkpoint at {growth.size}" + _VERIFY)
    while growth.size < head:
        upto = min(growth.size + BATCH, head)
        filled = [t for leaf in _leaves(conn, growth.size, upto) for t in growth.append(leaf)]
        if filled:
            keep_tiles(conn, filled)
    if unfinished := growth.unfinished():
        keep_tiles(conn, unfinished)
    return growth


_VERIFY = ": run `leadlog audit verify`"


def _leaves(conn: Connection, after: int, upto: int) -> list[bytes]:
    row = conn.cursor(binary=True).execute(LEAVES, (after, upto)).fetchone()
    assert row is not None, "an aggregate has one row"
    hashes, count, _ = row
    if count != upto - after:
        raise BadTree(f"positions {after + 1} to {upto} have {count} events" + _VERIFY)
    assert len(hashes) == count * HASH_BYTES
    return split(hashes)


def _sign(conn: Connection, growth: Growth, signers: Sequence[Signer]) -> StoredCheckpoint:
    checkpoint = Checkpoint(origin(conn), growth.size, growth.root())
    sealed = StoredCheckpoint(checkpoint.size, checkpoint.root, sign(checkpoint.text, signers))
    conn.execute(SIGNED, sealed)
    return sealed


def signer_in_use(conn: Connection, keys: KeyFile) -> Signer:
    """The key in use; the first one is made here, under the lock. StartupError without it."""
    row = conn.execute(CURRENT).fetchone()
    if row is None:
        signer = keys.get_or_add(origin(conn))
        conn.execute(REGISTER, (str(signer.verifier),))
        return signer
    found = keys.find(Verifier.read(row[0]))
    if found is None:
        raise StartupError(
            f"{keys.path} does not hold this database's signing key ({row[0]}): name the file that"
            " does in LEADLOG_SIGNING_KEY_FILE, or, if it is lost, run"
            " `leadlog keys rotate --signing --lost`"
        )
    return found
