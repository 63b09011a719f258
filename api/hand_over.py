"""All open leads of a person in other hands: `POST /v1/users/{name}:hand-over` (R102, R103)."""

from functools import partial

import msgspec

from aggregates.directory.person import BY_RULE
from api import openapi
from api.command_route import Answer, Call, CommandRoute
from api.directory import own_team
from api.service import Service
from commands.hand_over import HandOverPerson

NUMBER = {
    "type": "object",
    "required": ["person", "handed_over"],
    "properties": {"person": {"type": "string"}, "handed_over": {"type": "integer"}},
}


def route(service: Service) -> CommandRoute:
    """The route of the command."""
    return CommandRoute(
        service,
        "/v1/users/{ref:path}:hand-over",
        "directory.hand-over",
        HandOverPerson,
        partial(_hand_over, service),
        **openapi.command_on("HandedOver", HandOverPerson, 200, ref=openapi.NAME),
    )


async def _hand_over(service: Service, call: Call[HandOverPerson]) -> Answer:
    """How many leads changed hands now; what was interrupted is taken up by asking again."""
    await own_team(service, call)
    to = None if call.command.to == BY_RULE else call.command.to
    number = await service.hand_overs.of_person(
        call.ref, to, call.caller, call.command.reason or None
    )
    body = msgspec.json.encode({"person": call.ref, "handed_over": number})
    return Answer(body, Leadlog_Position=str(await service.reads.head()))
