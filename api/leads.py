"""Commands on leads over HTTP: capture, and every verb of a lead's life."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from aggregates.lead.state import Lead
from api import openapi
from api.command_route import Answer, Call, CommandRoute
from api.lead_json import lead_json
from api.problems import not_found
from api.service import Service
from commands import models as m
from commands.loop import Reply


class Verb(NamedTuple):
    """A command on an existing lead: `POST /v1/leads/{ref}<path>`."""

    path: str
    action: str
    model: type[m.Command]
    status: int = 200


VERBS = (
    Verb(":advance", "lead.advance", m.AdvanceLead),
    Verb("/follow-ups", "lead.follow-up", m.RecordFollowUp, 201),
    Verb(":assign", "lead.assign", m.AssignLead),
    Verb(":convert", "lead.convert", m.ConvertLead),
    Verb(":reverse-conversion", "lead.reverse-conversion", m.ReverseConversion),
    Verb(":invalidate", "lead.invalidate", m.InvalidateLead),
    Verb(":reopen", "lead.reopen", m.ReopenLead),
)


def routes(service: Service) -> Iterator[CommandRoute]:
    """One route per command."""
    for path, action, model, status in VERBS:
        yield CommandRoute(
            service,
            f"/v1/leads/{{ref:ref}}{path}",
            action,
            model,
            partial(act, service, status),
            **openapi.command(model, status, on_lead=True),
        )
    yield CommandRoute(
        service,
        "/v1/leads",
        "lead.capture",
        m.CaptureLead,
        partial(capture, service),
        **openapi.command(m.CaptureLead, 201, on_lead=False),
    )


async def capture(service: Service, call: Call[m.CaptureLead]) -> Answer:
    """A new lead, and where it is."""
    reply = await _execute(service, call, None)
    return await _shown(service, reply, 201, Location=f"/v1/leads/{reply.state.id}")


async def act(service: Service, status: int, call: Call[Any]) -> Answer:
    """The lead after a command on it."""
    lead = await existing(service, call.ref)
    return await _shown(service, await _execute(service, call, lead), status)


async def existing(service: Service, reference: str) -> UUID:
    """The lead of this UUID or code; 404 when no lead is called so."""
    lead = await service.reads.find_lead(reference)
    if lead is None:
        raise not_found("there is no such lead")
    return lead


async def _execute(service: Service, call: Call[Any], lead: UUID | None) -> Reply[Lead]:
    return await service.commands.execute(
        call.command,
        lead=lead,
        caller=call.caller,
        key=call.key,
        expected_version=call.expected_version,
    )


async def _shown(service: Service, reply: Reply[Lead], status: int, **headers: str) -> Answer:
    position = reply.position or await service.reads.head()
    return Answer(
        lead_json(reply.state, service.zone),
        status,
        ETag=f'"{reply.state.version}"',
        Leadlog_Position=str(position),
        **headers,
    )
