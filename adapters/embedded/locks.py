"""File locks that the kernel releases with the last process that holds them, kill -9 included."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.embedded.account import Account


def take(path: Path, account: Account, *, shared: bool = False, wait: bool = True) -> int | None:
    """Lock the file and return its descriptor; closing that unlocks. None: held, and not to wait.

    A child that inherits the descriptor keeps the lock for as long as the child lives.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        account.own(descriptor)
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(descriptor, how if wait else how | fcntl.LOCK_NB)
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return descriptor


def is_free(path: Path, account: Account) -> bool:
    """Whether nobody holds the lock exclusively at this moment."""
    descriptor = take(path, account, shared=True, wait=False)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None


@contextmanager
def locked(path: Path, account: Account) -> Iterator[int]:
    """Hold the lock alone; yields the descriptor."""
    descriptor = take(path, account)
    assert descriptor is not None, "a lock that is waited for is granted"
    try:
        yield descriptor
    finally:
        os.close(descriptor)
