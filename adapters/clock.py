"""Where `now` comes from: the machine's clock, or one that is moved by hand.

A database runs on one of the two for good (adapters/company.py): figures of simulated time never
mix with real ones.
"""

import time
from datetime import UTC, datetime, timedelta

from commands.ports import Clock


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current instant, UTC."""
        return datetime.now(UTC)


class SimulatedClock:
    """Stands at `start` until it is moved; with `running` it also goes on at real speed."""

    def __init__(self, start: datetime, *, running: bool = False) -> None:
        self._at = start.astimezone(UTC)
        self._speed = 1 if running else 0
        self._since = time.monotonic()

    def now(self) -> datetime:
        """The simulated instant, UTC."""
        return self._at + self._speed * timedelta(seconds=time.monotonic() - self._since)

    def move_to(self, instant: datetime) -> None:
        """Go on to an instant; one in the past changes nothing, for time never goes back."""
        self._at = max(self.now(), instant.astimezone(UTC))
        self._since = time.monotonic()


def clock_of(kind: str, last_recorded_at: datetime | None) -> Clock:
    """The clock of a service on a database of this kind: a simulation goes on where it stood."""
    if kind == "simulated" and last_recorded_at:
        return SimulatedClock(last_recorded_at, running=True)
    return SystemClock()
