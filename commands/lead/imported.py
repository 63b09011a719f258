"""Entering a lead that another system knows already: the same capture, with its id there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Annotated, Any
from uuid import UUID, uuid5

from aggregates.event import Event
from aggregates.lead.events import LeadCaptured
from aggregates.lead.state import Lead
from aggregates.values import LEAD_PREFIX
from commands.fields import Command, text
from commands.history import source_id
from commands.lead import entry
from commands.lead.wiring import Facts, Judgement, Wiring
from commands.loop import Beside, Decide, Held


class ImportLead(Command):
    """Enter a lead of another system. With `external_id` it is the lead that a history of that
    system means by this id, whichever of the two is imported first.
    """

    lead: entry.CaptureLead
    system: Annotated[str, text(100, 1)]
    external_id: Annotated[str, text(255, 1)] | None = None

    def said(self) -> str:
        """What the row says; a field that the capture command gets one day changes nothing."""
        return self.model_dump_json(exclude_unset=True)


def stream(command: Any) -> UUID | None:
    """The stream of a lead with an id in its system; None = one like any other's."""
    if not command.external_id:
        return None
    return uuid5(_namespace(command.system), command.external_id)


_namespace = cache(source_id)


def _import(c: ImportLead, facts: Facts) -> Judgement:
    judged = entry.WIRING[entry.CaptureLead].judge(c.lead, facts)
    assert not isinstance(judged.decide, Beside)  # a capture looks at no other lead
    return judged._replace(decide=partial(_named, c, judged.decide))


def _named(c: ImportLead, decide: Decide[Lead], lead: Lead, held: Held) -> Sequence[Event]:
    origin: Mapping[str, Any] = {
        "external_id": c.external_id,
        "source_system": c.system,
        "by_command": True,
    }
    return [
        replace(event, **origin) if isinstance(event, LeadCaptured) else event
        for event in decide(lead, held)
    ]


WIRING: Mapping[type[Command], Wiring] = {ImportLead: Wiring(_import, LEAD_PREFIX, stream)}
