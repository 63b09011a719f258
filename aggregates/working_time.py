"""How time is counted: every hour by the wall clock, or the company's working hours (A29)."""

from datetime import datetime, timedelta
from typing import Protocol


class Timekeeping(Protocol):
    """Adds and measures stretches of time. Instants are UTC."""

    def after(self, start: datetime, length: timedelta) -> datetime:
        """The first instant by which `length` has been counted since `start`."""
        ...

    def between(self, start: datetime, end: datetime) -> timedelta:
        """What is counted from `start` to `end`; zero where `end` is not after `start`."""
        ...


class WallClock:
    """Every hour counts."""

    def after(self, start: datetime, length: timedelta) -> datetime:
        """`length` later."""
        return start + length

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How long that is."""
        return max(end - start, timedelta(0))


WALL = WallClock()
