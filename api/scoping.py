"""Row access over HTTP: a lead outside the caller's scope is unknown to them, 404 (R114-R116)."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from aggregates.directory.scope import EVERYTHING, Scope
from aggregates.event import Recorded
from aggregates.lead.evolve import fold
from aggregates.lead.state import Lead
from api.access import SUPERVISOR
from api.problems import not_found
from api.service import Service
from commands.caller import Principal

NO_LEAD = UUID(int=0)
"""A lead of which nothing is ever known."""


class Seen(NamedTuple):
    """A lead as it is, its history, and a position of the log that this reflects."""

    lead: Lead
    history: Sequence[Recorded]
    position: int


async def scope_for(service: Service, principal: Principal) -> Scope:
    """The leads that a person may see, by the directory as it is now."""
    return (await service.registry.current()).scope(principal.name, principal.role)


async def counted_for(service: Service, principal: Principal) -> Scope:
    """The leads that count in a person's reports: a supervisor's own ones, else all (R115)."""
    return await scope_for(service, principal) if principal.role == SUPERVISOR else EVERYTHING


async def called(service: Service, reference: str) -> UUID:
    """The lead of this UUID or code, or `NO_LEAD`: the way to an answer tells nothing of codes."""
    return await service.reads.find_lead(reference) or NO_LEAD


async def seen(service: Service, principal: Principal, reference: str) -> Seen:
    """The lead of this UUID or code; the problem 404 when the person may not know of it."""
    stream = await called(service, reference)
    position, history = await service.reads.history(stream)
    lead = fold(Lead(stream), (recorded.event for recorded in history))
    await require_sight(service, principal, lead)
    return Seen(lead, history, position)


async def require_sight(service: Service, principal: Principal, lead: Lead) -> None:
    """Raise the problem 404 unless there is such a lead and the person may know of it."""
    if not lead.version or not (await scope_for(service, principal)).sees(lead):
        raise not_found("there is no such lead")
