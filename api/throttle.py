"""Failed logins are limited: of one address, and of all together.

What may have been a guess counts: a secret that never was, a signature that does not hold. What was
good once, or is signed for another use, does not. Whoever fails too often is answered 429 for the
rest of the window. What this process has seen to be good is let in from there all the same, and
everything from an address that has not failed. Behind the same router as one who guesses, a token
that is new to the process has to wait for the window's end.
"""

import time
from collections import OrderedDict
from ipaddress import ip_address, ip_network

from api.problems import Problem

MAX_ADDRESSES = 10_000
"""Beyond, those that failed least recently are forgotten."""


class FailedLogins:
    """Counts failures in windows of `window` seconds, in this process."""

    def __init__(self, *, each: int, total: int, window: int) -> None:
        self._each, self._limit, self._window = each, total, window
        self._end = 0.0
        self._total = 0
        self._counts: OrderedDict[str, int] = OrderedDict()

    def too_many(self, client: str) -> bool:
        """Whether an address is not to try anything new for now."""
        if not self._counts or time.monotonic() >= self._end:
            return False
        failed = self._counts.get(_counted(client), 0)
        return failed >= self._each or (failed > 0 and self._total >= self._limit)

    def note(self, client: str) -> None:
        """A login from this address has failed."""
        now = time.monotonic()
        if now >= self._end:
            self._end, self._total, self._counts = now + self._window, 0, OrderedDict()
        self._total += 1
        address = _counted(client)
        self._counts[address] = self._counts.pop(address, 0) + 1
        if len(self._counts) > MAX_ADDRESSES:
            self._counts.popitem(last=False)

    def refusal(self) -> Problem:
        """The answer to one that has failed too often."""
        seconds = max(1, int(self._end - time.monotonic()) + 1)
        return Problem(
            429,
            "too-many-failed-logins",
            f"too many failed logins from this address: try again in {seconds} seconds",
            headers={"Retry-After": str(seconds)},
        )


def _counted(client: str) -> str:
    """What counts as one address: of IPv6 the network that a household gets, a /64."""
    if ":" not in client:
        return client
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return client
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped) if mapped else str(ip_network((address, 64), strict=False))
