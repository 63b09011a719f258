"""Makes checkpoints: hashes what is new, extends the tree, signs its root, in one transaction.

Nothing that appends waits for it: the log is read as every reader does. Who signs, takes turns.
"""

from collections.abc import Sequence

from adapters.key_file import KeyFile
from adapters.merkle import HASH_BYTES, BadProof, verify_consistency
from adapters.postgres import log_reader
from adapters.postgres.tables import Connection
from adapters.postgres.tile_store import (
    BadTree,
    StoredCheckpoint,
    consistency_proof,
    growth_at,
    keep_tiles,
    newest,
    origin,
    read_verifier,
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
    " ORDER BY e.notification_id), count(*)"
    " FROM log.leadlog_events e WHERE e.notification_id > %s AND e.notification_id <= %s"
)
SIGNED = "INSERT INTO audit.checkpoints (size, root, note) VALUES (%s, %s, %s)"
BEGIN_ANEW = (
    "compare it by `leadlog audit verify --against` a checkpoint kept outside; if it was restored"
    " from an older backup, `leadlog keys rotate --signing --lost` begins anew"
)
CURRENT = "SELECT verifier FROM audit.signing_keys WHERE until IS NULL"
REGISTER = "INSERT INTO audit.signing_keys (verifier) VALUES (%s)"
RETIRE = "UPDATE audit.signing_keys SET until = clock_timestamp() WHERE until IS NULL"


def make_checkpoint(conn: Connection, keys: KeyFile) -> StoredCheckpoint | None:
    """The newest checkpoint, made now if there are events that none covers; None on an empty log.

    StartupError without the key that signs, BadTree when the log does not go on from the newest
    checkpoint, or from what the key file says was signed. `conn` acts as `leadlog_sealer`.
    """
    with conn.transaction():
        conn.execute(LOCK)
        last, signed = newest(conn), keys.signed(origin(conn))
        as_signed = signed is None or (last and last[:2] == (signed.size, signed.root))
        if as_signed and log_reader.head(conn) == (last.size if last else 0):
            return last
        signer = signer_in_use(conn, keys)
        growth = _grown(conn, last, signed)
        return _sign(conn, keys, growth, [signer])


def rotate(conn: Connection, keys: KeyFile, *, lost: bool = False) -> Verifier:
    """Sign with a new key from now on. The first checkpoint of the new key, made here, is signed by
    the old one too. Raises as `make_checkpoint` does.

    `lost` begins anew: the old key, or events that it has signed, are gone. It signs nothing, and
    the log as it is now counts.
    """
    with conn.transaction():
        conn.execute(LOCK)
        name = origin(conn)
        old = None if lost else signer_in_use(conn, keys)
        growth = _grown(conn, newest(conn), keys.signed(name) if old else None)
        new = keys.add(name)
        conn.execute(RETIRE)
        conn.execute(REGISTER, (str(new.verifier),))
        if lost:
            keys.forget(name)
        if growth.size:
            _sign(conn, keys, growth, [old, new] if old else [new])
    return new.verifier


def _grown(conn: Connection, last: StoredCheckpoint | None, signed: Checkpoint | None) -> Growth:
    """The tree of all events, its tiles kept. It begins with the tree that was signed last."""
    growth = growth_at(conn, last.size if last else 0)
    head = log_reader.head(conn)
    if last and growth.root() != last.root:
        raise BadTree("the stored tree is not that of the newest checkpoint")
    if head < growth.size:
        raise BadTree(f"the log ends at {head}, its checkpoint at {growth.size}")
    if signed:
        _go_on_from(conn, growth, signed, head)
    _grow(conn, growth, head)
    if unfinished := growth.unfinished():
        keep_tiles(conn, unfinished)
    return growth


def _go_on_from(conn: Connection, growth: Growth, signed: Checkpoint, head: int) -> None:
    """Grow as far as was signed, if need be. BadTree when that was another log: whoever rewrites
    events, hashes and checkpoints does not rewrite the key file.
    """
    same = signed.size <= head
    if same and signed.size > growth.size:
        _grow(conn, growth, signed.size)
        same = growth.root() == signed.root
    elif same:
        proof = consistency_proof(conn, signed.size, growth.size)
        try:
            verify_consistency(signed.size, growth.size, proof, signed.root, growth.root())
        except BadProof:
            same = False
    if not same:
        what = f"this is not the log whose first {signed.size} events were signed last"
        raise BadTree(what, BEGIN_ANEW)


def _grow(conn: Connection, growth: Growth, size: int) -> None:
    """Let the tree grow to a size; tiles that are full by it are kept."""
    while growth.size < size:
        upto = min(growth.size + BATCH, size)
        filled = [t for leaf in _leaves(conn, growth.size, upto) for t in growth.append(leaf)]
        if filled:
            keep_tiles(conn, filled)


def _leaves(conn: Connection, after: int, upto: int) -> list[bytes]:
    row = conn.cursor(binary=True).execute(LEAVES, (after, upto)).fetchone()
    assert row is not None, "an aggregate has one row"
    hashes, count = row
    if count != upto - after:
        raise BadTree(f"positions {after + 1} to {upto} have {count} events")
    assert len(hashes) == count * HASH_BYTES
    return split(hashes)


def _sign(
    conn: Connection, keys: KeyFile, growth: Growth, signers: Sequence[Signer]
) -> StoredCheckpoint:
    checkpoint = Checkpoint(signers[0].name, growth.size, growth.root())
    keys.record(checkpoint)  # before the commit: the log goes on from it, whether that comes or not
    made = StoredCheckpoint(checkpoint.size, checkpoint.root, sign(checkpoint.text, signers))
    conn.execute(SIGNED, made)
    return made


def signer_in_use(conn: Connection, keys: KeyFile) -> Signer:
    """The key in use; the first one is made here, under the lock. StartupError without it, BadTree
    when it is the key of another log.
    """
    row = conn.execute(CURRENT).fetchone()
    name = origin(conn)
    if row is None:
        signer = keys.get_or_add(name)
        conn.execute(REGISTER, (str(signer.verifier),))
        return signer
    verifier = read_verifier(row[0])
    if verifier.name != name:
        raise BadTree(f"audit.signing_keys: the key is of {verifier.name}, the log is {name}")
    found = keys.find(verifier)
    if found is None:
        raise StartupError(
            f"{keys.path} does not hold this database's signing key ({row[0]}): name the file that"
            " does in LEADLOG_SIGNING_KEY_FILE, or, if it is lost, run"
            " `leadlog keys rotate --signing --lost`"
        )
    return found
