"""Secrets that proved good a moment ago are not looked up again.

The table is the truth; a copy of what it said is trusted for 3 seconds, so long may a revoked
secret live on in a process that has just seen it.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

TRUSTED_SECONDS = 3.0
MAX_TRUSTED = 10_000


class Trusted(Generic[T]):
    """What secrets stand for, by their hash; the ones used least recently are forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, tuple[T, float]] = OrderedDict()

    def get(self, digest: bytes) -> T | None:
        """What a secret stands for, while that is trusted."""
        found = self._known.get(digest)
        return found[0] if found and found[1] > time.monotonic() else None

    def familiar(self, digest: bytes) -> bool:
        """Whether the secret was good when it was looked up last, long ago or not."""
        return digest in self._known

    def keep(self, digest: bytes, found: T | None, seconds: float | None = None) -> None:
        """Remember what a look-up found; None forgets."""
        self._known.pop(digest, None)
        if found is not None:
            trusted = TRUSTED_SECONDS if seconds is None else min(seconds, TRUSTED_SECONDS)
            self._known[digest] = found, time.monotonic() + trusted
        if len(self._known) > MAX_TRUSTED:
            self._known.popitem(last=False)

    def forget(self, gone: Callable[[T], bool]) -> None:
        """Forget all that `gone` is true of."""
        for digest in [d for d, (found, _) in self._known.items() if gone(found)]:
            del self._known[digest]
