"""Creates a data directory: whole or not at all, however the creator dies."""

import os
import shutil
import sys
import time
from pathlib import Path

from adapters.embedded.account import Account
from adapters.embedded.binaries import Binaries
from adapters.settings import StartupError

CTYPE = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
"""Character classes by libc, without which pg_trgm finds no Chinese trigrams. Collation is C: it
sorts by code point as C.UTF-8 does, and LIKE 'x%' can use an index."""

SETTINGS = """
# leadlog wrote the lines below when it created this directory; they are yours to change.
timezone = 'GMT'  # the one zone PostgreSQL knows without tzdata files
max_wal_size = '2GB'  # a bulk import is not held up by checkpoints
checkpoint_timeout = '15min'
wal_compression = '{compression}'
jit = off  # it costs short queries more than it saves
log_min_error_statement = 'panic'  # personal data stays out of the server's log:
log_error_verbosity = 'terse'  # neither statements nor the values of violated keys
"""


def initialise(data: Path, binaries: Binaries, account: Account, *, unsafe_fast: bool) -> None:
    """initdb beside the directory, then rename: a killed initdb leaves one that cannot start.

    The caller holds the start lock and has written the file `password`.
    """
    for leftover in data.parent.glob("init-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh = data.with_name(f"init-{os.getpid()}-{time.time_ns()}")
    account.run(
        *(binaries / "initdb", "-D", fresh, "-U", "postgres", "-E", "UTF8"),
        *("--locale=C", f"--lc-ctype={CTYPE}", "--data-checksums", "--no-instructions"),
        *("--auth-local=trust", f"--pwfile={data.with_name('password')}"),
        *(("--auth-host=trust", "--no-sync") if unsafe_fast else ("--auth-host=scram-sha-256",)),
    )
    with (fresh / "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS.format(compression=_compression(fresh, binaries, account)))
    fresh.rename(data)


def _compression(data: Path, binaries: Binaries, account: Account) -> str:
    """lz4 where this PostgreSQL was built with it; the older pglz costs more than it saves."""
    asked = ("-D", data, "-c", "wal_compression=lz4", "-C", "wal_compression")
    try:
        account.run(binaries / "postgres", *asked)
    except StartupError:
        return "off"
    return "lz4"
