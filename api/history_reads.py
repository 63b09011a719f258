"""The one way by which the API reads a lead's history as an auditor does: events, replay, proof.

Each is a HistoryRead, and recorded where it has to be (R117).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from aggregates.lead.evolve import fold
from aggregates.lead.replay import Told, named
from aggregates.lead.state import Lead
from aggregates.lead.wording import Others
from api.access import ADMIN, AUDITOR
from api.problems import unavailable
from api.scoping import called, require_sight, scope_for
from api.service import Service
from commands.caller import Principal

ON_RECORD = frozenset({ADMIN, AUDITOR})


@dataclass(frozen=True, slots=True)
class HistoryRead:
    """What a person read of a lead, in which form (`what`: events, replay, proof), and what is
    there: its history, a position of the log that this reflects, and the other leads in it that
    the person may see, with their codes.
    """

    principal: Principal
    what: str
    lead: UUID
    told: Sequence[Told]
    position: int
    others: Others


async def read_history(
    service: Service, principal: Principal, reference: str, what: str, *, at_least: int = 0
) -> HistoryRead:
    """The history of the lead of this UUID or code; the problem 404 when the person may not know
    of it, 503 while the log ends before position `at_least`. Who sees every lead without being in
    charge of it is put on record first.
    """
    lead = await called(service, reference)
    position, told = await service.reads.told(lead)
    state = fold(Lead(lead), (one.recorded.event for one in told))
    await require_sight(service, principal, state)
    if position < at_least:
        raise unavailable(f"the log ends at position {position}")
    if principal.role in ON_RECORD:
        await service.readings.record(principal, lead, what)
    spoken_of = sorted(named(told))
    scope = await scope_for(service, principal)
    others = await service.reads.known(spoken_of, scope) if spoken_of else {}
    return HistoryRead(principal, what, lead, told, position, others)
