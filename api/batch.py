"""Many captures in one request: each is judged by itself and answered in its place (R1)."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from pydantic_core import to_json

from aggregates.lead.state import Lead
from api import openapi
from api.access import require_giving
from api.command_route import Answer, Call, CommandRoute
from api.lead_json import lead_json
from api.leads import known_others
from api.problems import Problem, problem_of
from api.service import Service
from commands.lead.entry import CaptureLead
from commands.lead.intake import CaptureLeads
from commands.loop import Reply

RESULTS: Mapping[str, Any] = {
    "type": "object",
    "description": "What became of each capture, in the order of the request.",
    "required": ["captured", "results"],
    "properties": {
        "captured": {"type": "integer", "description": "How many leads there are now."},
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["status"],
                "properties": {
                    "status": {"type": "integer", "description": "As one capture has it."},
                    "lead": {"$ref": "#/components/schemas/Lead"},
                    "problem": {"$ref": "#/components/schemas/Problem"},
                },
            },
        },
    },
}


def route(service: Service) -> CommandRoute:
    """`POST /v1/leads:batch`."""
    return CommandRoute(
        service,
        "/v1/leads:batch",
        "lead.capture",
        CaptureLeads,
        partial(capture_all, service),
        **openapi.command_on("Captures", CaptureLeads, 200, ref=None),
    )


async def capture_all(service: Service, call: Call[CaptureLeads]) -> Answer:
    """A result for each; the request itself succeeds."""
    outcomes = await asyncio.gather(
        *(_capture(service, call, n, item) for n, item in enumerate(call.command.leads))
    )
    replies = [outcome for outcome in outcomes if isinstance(outcome, Reply)]
    others = await known_others(service, call.principal, *(reply.state for reply in replies))
    position = max((reply.position or 0 for reply in replies), default=0)
    results = [_result(service, outcome, others) for outcome in outcomes]
    body = msgspec.json.encode({"captured": len(replies), "results": results})
    return Answer(body, Leadlog_Position=str(position or await service.reads.head()))


async def _capture(
    service: Service, call: Call[CaptureLeads], number: int, item: Mapping[str, Any]
) -> Reply[Lead] | Problem:
    try:
        command = CaptureLead.model_validate_json(to_json(item))
        require_giving(call.principal, command.owner)
        return await service.commands.execute(
            command,
            lead=None,
            caller=call.caller,
            key=call.key and f"{call.key} {number}",  # a key of its own has no space
        )
    except Exception as error:
        if problem := problem_of(error):
            return problem
        raise


def _result(
    service: Service, outcome: Reply[Lead] | Problem, others: Mapping[UUID, str | None]
) -> Mapping[str, Any]:
    if isinstance(outcome, Problem):
        return {"status": outcome.status, "problem": msgspec.Raw(outcome.body())}
    return {"status": 201, "lead": msgspec.Raw(lead_json(outcome.state, service.zone, others))}
