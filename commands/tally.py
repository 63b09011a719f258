"""What everybody carries: as the read model has it, and what this process gave away since.

The read model follows the log by milliseconds. Own assignments count from the moment they are
chosen, so a burst of captures spreads as if they had come one by one (decision 2, R44).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from aggregates.lead.choice import NO_LOAD, Load
from commands.ports import Workload


@dataclass(slots=True)
class _Given:
    """`turn` orders what was given, `position` is its event's; None = not recorded yet."""

    person: str
    turn: int
    position: int | None = None


class Tally:
    """Loads by name: `give` and `settle` as leads are given, `reflect` as the read model moves."""

    def __init__(self) -> None:
        self._given: dict[UUID, _Given] = {}
        self._loads: dict[str, Load] = {}
        self._turn = 0

    @property
    def loads(self) -> Mapping[str, Load]:
        """Everybody's load by now."""
        return self._loads

    def __contains__(self, lead: UUID) -> bool:
        """Whether the lead was given away since what the read model reflects."""
        return lead in self._given

    def reflect(self, workload: Workload) -> None:
        """Go on from a newer state of the read model, which holds what was recorded up to it."""
        self._given = {
            lead: given
            for lead, given in self._given.items()
            if given.position is None or given.position > workload.position
        }
        self._turn = max(self._turn, workload.position)
        self._loads = dict(workload.loads)
        for given in self._given.values():
            self._count(given)

    def give(self, lead: UUID, person: str) -> None:
        """Count a lead that is about to be given to somebody."""
        self._turn += 1
        given = self._given[lead] = _Given(person, self._turn)
        self._count(given)

    def settle(self, lead: UUID, owner: str | None, position: int | None) -> None:
        """What became of it: it was recorded at a position, or it is as another left it."""
        given = self._given[lead]
        if position is None or owner != given.person:
            del self._given[lead]
            before = self._loads[given.person]
            self._loads[given.person] = Load(before.active - 1, before.last_given)
        else:
            given.position = position

    def _count(self, given: _Given) -> None:
        load = self._loads.get(given.person, NO_LOAD)
        self._loads[given.person] = Load(load.active + 1, max(load.last_given, given.turn))
