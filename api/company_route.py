"""What commands on the company have in common over HTTP."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from api import openapi
from api.command_route import Answer, Call, CommandRoute
from api.service import Service
from commands.company.wiring import Subject
from commands.directory import Request
from commands.fields import Command
from commands.loop import Reply

Render = Callable[[Any], Mapping[str, Any]]
Check = Callable[[Service, Call[Any]], Awaitable[None]]


class Verb(NamedTuple):
    """A command: `POST <path>`. `{ref}` in the path names its subject, else its field `name` does.

    `of` is the list that a reference belongs to; `check` says no to some whose role may do it, but
    not to a repetition, which is only answered (P2).
    """

    path: str
    action: str
    model: type[Command]
    status: int = 200
    of: str = ""
    check: Check | None = None


def route(service: Service, verb: Verb, answer: str, render: Render) -> CommandRoute:
    """The route of a command that answers with its subject's JSON, called `answer` in OpenAPI."""

    async def handle(call: Call[Any]) -> Answer:
        if verb.check and not await service.directory.knows(_request(call)):
            await verb.check(service, call)
        subject = Subject(call.ref or call.command.name, verb.of)
        reply = await execute(service, call, subject)
        headers = {}
        if verb.status == 201:
            headers["Location"] = f"{verb.path}/{quote(subject.name, safe='')}"
        return await shown(service, reply, render(reply.state), verb.status, **headers)

    return CommandRoute(
        service,
        verb.path,
        verb.action,
        verb.model,
        handle,
        **openapi.command_on(
            answer,
            verb.model,
            verb.status,
            ref=openapi.NAME if "{ref" in verb.path else None,
            operation=f"{verb.model.__name__}-{verb.of}" if verb.of else None,
        ),
    )


async def execute(service: Service, call: Call[Any], subject: Subject) -> Reply[Any]:
    """Carry a request's command out."""
    return await service.directory.execute(call.command, subject, _request(call))


def _request(call: Call[Any]) -> Request:
    return Request(call.caller, call.key, call.expected_version)


async def shown(
    service: Service, reply: Reply[Any], body: Mapping[str, Any], status: int, **headers: str
) -> Answer:
    """What a command answers: the subject after it, its version, where the log stands."""
    position = reply.position or await service.reads.head()
    return Answer(
        msgspec.json.encode(body),
        status,
        repeated=reply.repeated,
        ETag=f'"{reply.state.version}"',
        Leadlog_Position=str(position),
        **headers,
    )
