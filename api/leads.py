"""Commands on leads over HTTP: capture, and every verb of a lead's life."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from aggregates.lead.state import Lead
from api import openapi
from api.access import require_giving
from api.command_route import Answer, Call, CommandRoute
from api.lead_json import lead_json
from api.scoping import called, scope_for
from api.service import Service
from commands.caller import Principal
from commands.fields import Command
from commands.lead import duplicates, entry, files, outcome, ownership, work
from commands.loop import Reply


class Verb(NamedTuple):
    """A command on an existing lead: `POST /v1/leads/{ref}<path>`."""

    path: str
    action: str
    model: type[Command]
    status: int = 200
    names: str | None = None
    """The field that names another lead, by UUID or code."""


VERBS = (
    Verb(":advance", "lead.advance", work.AdvanceLead),
    Verb("/follow-ups", "lead.follow-up", work.RecordFollowUp, 201),
    Verb("/late-reasons", "lead.late-reason", work.RecordLateReason, 201),
    Verb(":complete-info", "lead.complete-info", entry.CompleteInfo),
    Verb(":label", "lead.label", entry.SetLabel),
    Verb(":clear-label", "lead.clear-label", entry.ClearLabel),
    Verb(":merge", "lead.merge", duplicates.MergeLead, names="into"),
    Verb(":unmerge", "lead.unmerge", duplicates.UnmergeLead),
    Verb(
        ":dismiss-duplicate", "lead.dismiss-duplicate", duplicates.DismissDuplicate, names="other"
    ),
    Verb("/shares", "lead.share", files.ShareLead, 201),
    Verb(":assign", "lead.assign", ownership.AssignLead),
    Verb(":hand-over", "lead.hand-over", ownership.HandOverLead),
    Verb(":release", "lead.release", ownership.ReleaseLead),
    Verb(":claim", "lead.claim", ownership.ClaimLead),
    Verb(":screen", "lead.screen", outcome.ScreenLead),
    Verb(":pause", "lead.pause", outcome.PauseLead),
    Verb(":resume", "lead.resume", outcome.ResumeLead),
    Verb(":convert", "lead.convert", outcome.ConvertLead),
    Verb(":reverse-conversion", "lead.reverse-conversion", outcome.ReverseConversion),
    Verb(":invalidate", "lead.invalidate", outcome.InvalidateLead),
    Verb(":reopen", "lead.reopen", outcome.ReopenLead),
)


def routes(service: Service) -> Iterator[CommandRoute]:
    """One route per command."""
    for verb in VERBS:
        yield CommandRoute(
            service,
            f"/v1/leads/{{ref:ref}}{verb.path}",
            verb.action,
            verb.model,
            partial(act, service, verb),
            **openapi.command(verb.model, verb.status, on_lead=True),
        )
    yield CommandRoute(
        service,
        "/v1/leads",
        "lead.capture",
        entry.CaptureLead,
        partial(capture, service),
        **openapi.command(entry.CaptureLead, 201, on_lead=False),
    )


async def capture(service: Service, call: Call[entry.CaptureLead]) -> Answer:
    """A new lead, and where it is. Giving it to somebody else takes the right to assign."""
    require_giving(call.principal, call.command.owner)
    reply = await _execute(service, call, None)
    location = f"/v1/leads/{reply.state.id}"
    return await _shown(service, call.principal, reply, 201, Location=location)


async def act(service: Service, verb: Verb, call: Call[Any]) -> Answer:
    """The lead after a command on it."""
    lead = await called(service, call.ref)
    if verb.names:
        other = await called(service, getattr(call.command, verb.names))
        call.command = call.command.model_copy(update={verb.names: str(other)})
    return await _shown(service, call.principal, await _execute(service, call, lead), verb.status)


async def known_others(
    service: Service, principal: Principal, *leads: Lead, merged: Iterable[UUID] = ()
) -> Mapping[UUID, str | None]:
    """The leads named by these ones that the person may see, with their codes."""
    named = {*merged, *(other for lead in leads for other in lead.suspects)}
    named |= {lead.merged_into for lead in leads if lead.merged_into}
    if not named:
        return {}
    return await service.reads.known(sorted(named), await scope_for(service, principal))


async def _execute(service: Service, call: Call[Any], lead: UUID | None) -> Reply[Lead]:
    return await service.commands.execute(
        call.command,
        lead=lead,
        caller=call.caller,
        key=call.key,
        expected_version=call.expected_version,
        scope=await scope_for(service, call.principal),
    )


async def _shown(
    service: Service, principal: Principal, reply: Reply[Lead], status: int, **headers: str
) -> Answer:
    position = reply.position or await service.reads.head()
    others = await known_others(service, principal, reply.state)
    return Answer(
        lead_json(reply.state, service.zone, others),
        status,
        repeated=reply.repeated,
        ETag=f'"{reply.state.version}"',
        Leadlog_Position=str(position),
        **headers,
    )
