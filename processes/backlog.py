"""Leads that have to be looked at once more: those nobody was found for, and those that failed.

Whom the rules find nobody for depends on a lead's kind alone. So of a thousand leads of one kind
the oldest is asked for, and the others only once somebody was found for it: no lead is read before
there is somebody for it.
"""

from collections import defaultdict
from heapq import heapify, heappop, heappush
from uuid import UUID

from aggregates.lead.choice import Kind
from commands.ports import Waiting

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds until a lead that failed is tried again; each time twice as many."""

_Entry = tuple[int, UUID]


class Backlog:
    """Leads by kind. A pass goes through them, the longest waiting first whatever their kind."""

    def __init__(self) -> None:
        self._kinds: defaultdict[Kind, list[_Entry]] = defaultdict(list)
        self._kind_of: dict[UUID, tuple[int, Kind]] = {}
        self._pass: list[tuple[int, int, Kind]] = []

    def __len__(self) -> int:
        return len(self._kind_of)

    @property
    def is_passing(self) -> bool:
        """Whether a pass has begun and not ended."""
        return bool(self._pass)

    def leave(self, waiting: Waiting, kind: Kind) -> None:
        """Keep a lead that nobody was found for; it may have been of another kind before."""
        self._kind_of[waiting.lead] = waiting.since, kind
        heappush(self._kinds[kind], (waiting.since, waiting.lead))

    def forget(self, lead: UUID) -> None:
        """It is being looked at anew."""
        self._kind_of.pop(lead, None)

    def begin_pass(self) -> None:
        """Ask for every kind once more."""
        kinds = [(kind, self._oldest(kind)) for kind in list(self._kinds)]
        self._pass = [(oldest.since, n, kind) for n, (kind, oldest) in enumerate(kinds) if oldest]
        heapify(self._pass)

    def next(self) -> tuple[Waiting, Kind] | None:
        """The longest waiting lead of the kinds that are still open in this pass."""
        while self._pass:
            *_, kind = self._pass[0]
            if oldest := self._oldest(kind):
                return oldest, kind
            heappop(self._pass)
        return None

    def close(self) -> None:
        """Nobody is there for the kind of the next one: that holds for all of it in this pass."""
        heappop(self._pass)

    def take(self) -> None:
        """Somebody was found for the next one."""
        _, n, kind = heappop(self._pass)
        _, lead = heappop(self._kinds[kind])
        del self._kind_of[lead]
        if following := self._oldest(kind):
            heappush(self._pass, (following.since, n, kind))

    def _oldest(self, kind: Kind) -> Waiting | None:
        entries = self._kinds.get(kind, [])
        while entries and self._kind_of.get(entries[0][1]) != (entries[0][0], kind):
            heappop(entries)
        if not entries:
            self._kinds.pop(kind, None)
            return None
        since, lead = entries[0]
        return Waiting(lead, since)


class Retries:
    """Leads that failed, each to be tried again after a pause of its own."""

    def __init__(self) -> None:
        self._due: list[tuple[float, UUID, int]] = []
        self._pauses: dict[UUID, float] = {}

    def add(self, waiting: Waiting, now: float) -> float:
        """Try the lead again after the seconds that this returns."""
        pause = min(self._pauses.get(waiting.lead, FIRST_PAUSE / 2) * 2, LONGEST_PAUSE)
        self._pauses[waiting.lead] = pause
        heappush(self._due, (now + pause, waiting.lead, waiting.since))
        return pause

    def due(self, now: float) -> list[Waiting]:
        """Those whose time has come; each is given out once."""
        found = []
        while self._due and self._due[0][0] <= now:
            _, lead, since = heappop(self._due)
            found.append(Waiting(lead, since))
        return found

    def forget(self, lead: UUID) -> None:
        """It did not fail; the next time that it does is a first one."""
        self._pauses.pop(lead, None)
