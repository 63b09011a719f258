"""All open leads of a person in other hands: `POST /v1/users/{name}:hand-over` (R102, R103).

Many commands, one for each lead, and no version: it takes no Idempotency-Key and no If-Match. Asked
again it goes on with what is left, which is what a key would be for.
"""

from functools import partial
from typing import Any

import msgspec

from aggregates.directory.register import BY_RULE
from api import openapi
from api.command_route import Answer, Call, CommandRoute
from api.directory import own_team
from api.problems import bad_parameter, problem_of
from api.service import Service
from commands.hand_over import HandOverPerson, Left

MEANINGLESS = "has no meaning here: send the request again without it"
NUMBER = {
    "type": "object",
    "required": ["person", "handed_over", "left"],
    "properties": {
        "person": {"type": "string"},
        "handed_over": {"type": "integer", "description": "How many leads changed hands now."},
        "left": {
            "type": "array",
            "description": "The leads that could not be passed on, each with the reason.",
            "items": {
                "type": "object",
                "required": ["id", "code", "problem"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "code": {"type": ["string", "null"]},
                    "problem": {"$ref": "#/components/schemas/Problem"},
                },
            },
        },
    },
}


def route(service: Service) -> CommandRoute:
    """The route of the command."""
    return CommandRoute(
        service,
        "/v1/users/{ref:path}:hand-over",
        "directory.hand-over",
        HandOverPerson,
        partial(_hand_over, service),
        **openapi.command_on(
            "HandedOver", HandOverPerson, 200, ref=openapi.NAME, conditional=False
        ),
    )


async def _hand_over(service: Service, call: Call[HandOverPerson]) -> Answer:
    """How many leads changed hands now, and which did not; asked again, it goes on with those."""
    unconditional(call)
    await own_team(service, call)
    to = None if call.command.to == BY_RULE else call.command.to
    done = await service.hand_overs.of_person(
        call.ref, to, call.caller, call.command.reason or None
    )
    left = [_left(one) for one in done.left]
    body = msgspec.json.encode({"person": call.ref, "handed_over": done.number, "left": left})
    return Answer(body, Leadlog_Position=str(await service.reads.head()))


def unconditional(call: Call[Any]) -> None:
    """The problem 400 for a key or a version, which mean nothing here."""
    given = {"Idempotency-Key": call.key, "If-Match": call.expected_version}
    for header, value in given.items():
        if value is not None:
            raise bad_parameter(header, MEANINGLESS)


def unversioned(call: Call[Any]) -> None:
    """The problem 400 for a version alone: a key changes nothing where repeating is harmless."""
    if call.expected_version is not None:
        raise bad_parameter("If-Match", MEANINGLESS)


def _left(left: Left) -> dict[str, Any]:
    problem = problem_of(left.why)
    assert problem
    return {"id": left.lead.id, "code": left.lead.code, "problem": msgspec.Raw(problem.body())}
