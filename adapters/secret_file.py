"""Files with secret keys: replaced as a whole, by one writer at a time, for their owner alone."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

OTHERS = 0o077
"""What the mode of a secret file grants to nobody but its owner."""

logger = logging.getLogger("leadlog.keys")


@contextmanager
def alone(directory: Path) -> Iterator[int]:
    """One writer at a time, of all processes; the open directory. Raises OSError."""
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield number
    finally:
        os.close(number)


def replace(path: Path, text: str) -> None:
    """All or nothing: a reader sees the file as it was or as it is. Raises OSError.

    Mode 0600 at first; owner and mode of a file that is there stay. Durable once its directory is.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            if path.exists():
                before = path.stat()
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), before.st_mode & 0o777)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def warn_of_readers(path: Path) -> None:
    """Say once if others than its owner may read the file. Raises OSError."""
    if path.stat().st_mode & OTHERS:
        _warn(path)


@cache
def _warn(path: Path) -> None:
    logger.warning("%s holds secret keys and others can read it: run `chmod 600 %s`", path, path)
