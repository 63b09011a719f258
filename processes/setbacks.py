"""Leads with which a process does not get on: each is left for a while, longer every time.

Each is named once in the log. What is remembered is bounded: the one that was tried longest ago
makes room for another.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

MOST = 10_000
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 300.0
"""Until a lead is tried again; twice as long each time."""
PATIENT = 3
"""So many times there may be nothing to do: a command was quicker than the read model."""

logger = logging.getLogger("leadlog.processes")


@dataclass(slots=True)
class _Setback:
    times: int
    pause: float
    until: float
    is_told: bool = False


class Setbacks:
    """What did not succeed of one kind of work; `work` is what the log calls it."""

    def __init__(self, work: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._work, self._clock = work, clock
        self._known: dict[UUID, _Setback] = {}

    def failed(self, lead: UUID, error: Exception) -> None:
        """Dealing with the lead raised this."""
        self._again(lead, f"failed: {error!r}", patience=1)

    def had_no_effect(self, lead: UUID) -> None:
        """Nothing was to be done about the lead, though the read model says so."""
        self._again(lead, "has had no effect", patience=PATIENT)

    def over(self, lead: UUID) -> None:
        """The lead was dealt with."""
        self._known.pop(lead, None)

    def resting(self) -> set[UUID]:
        """Whose time to be tried again has not come."""
        now = self._clock()
        return {lead for lead, setback in self._known.items() if setback.until > now}

    def rested(self) -> Sequence[UUID]:
        """Whose time to be tried again has come, the longest untried first."""
        now = self._clock()
        return [lead for lead, setback in self._known.items() if setback.until <= now]

    def forget(self) -> None:
        """Leads that rested, and of which nothing was heard for long."""
        since = self._clock() - LONGEST_SECONDS
        self._known = {k: setback for k, setback in self._known.items() if setback.until > since}

    def _again(self, lead: UUID, why: str, *, patience: int) -> None:
        before = self._known.pop(lead, None) or _Setback(0, SHORTEST_SECONDS / 2, 0.0)
        pause = min(before.pause * 2, LONGEST_SECONDS)
        times, until = before.times + 1, self._clock() + pause
        is_told = before.is_told or times >= patience
        if is_told and not before.is_told:
            logger.warning("%s lead %s %s; it is tried again more and more seldom",
                           self._work, lead, why)  # fmt: skip
        self._known[lead] = _Setback(times, pause, until, is_told)
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]
