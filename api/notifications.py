"""Everybody's own list of messages, and the messages that were given up, for administrators
(R36, R40, R41).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict, Field
from starlette.responses import Response

from aggregates.directory.state import Person, Preferences
from api import openapi
from api.command_route import Answer, Call, CommandRoute
from api.company_json import messages_json
from api.problems import bad_parameter, not_found
from api.reading import Page, allow, allowed, at_most, caught_up, decode_cursor, listed
from api.scoping import scope_for
from api.service import Service
from commands.caller import Principal
from commands.directory import Request
from commands.fields import Command, example
from commands.loop import Reply
from commands.notifications import Message
from projections.messages import REVIEW

Handle = Callable[[Service, Call[Any]], Awaitable[Answer]]

READ, DEAD = "notifications.read", "notifications.dead"
MOST_AT_ONCE = 500

DONE: Mapping[str, Any] = {
    "type": "object",
    "required": ["notifications", "more"],
    "properties": {
        "notifications": {"type": "integer", "description": "How many changed now."},
        "more": {"type": "boolean", "description": "Whether there are more: ask again."},
    },
}


class ReadNotification(Command):
    """The recipient has seen a message."""

    model_config = ConfigDict(json_schema_extra=example())


class ReadNotifications(Command):
    """The recipient has seen their messages, up to 500 of them, the oldest first."""

    model_config = ConfigDict(json_schema_extra=example(upto=1234))

    upto: Annotated[int, Field(ge=0)] | None = None
    """Those up to this position of the log, as in the list's `position`; null = all."""


class RetryNotification(Command):
    """Try a message again that was given up."""

    model_config = ConfigDict(json_schema_extra=example(channel="email"))

    channel: Literal["email", "chat"]


class RetryNotifications(Command):
    """Try messages again that were given up, up to 500 of them, the last one first."""

    model_config = ConfigDict(json_schema_extra=example(channel="email"))

    channel: Literal["email", "chat"] | None = None
    """null = whichever"""


COMMANDS: tuple[type[Command], ...] = (
    ReadNotification, ReadNotifications, RetryNotification, RetryNotifications,
)  # fmt: skip


class OwnNotifications(Page):
    """Which of one's messages to list."""

    unread: bool | None = None
    """Only those that are unread, or only the others."""


class DeadNotifications(Page):
    """Which messages to list."""

    channel: Literal["email", "chat"] | None = None


def routes(service: Service) -> Iterator[CommandRoute]:
    """The commands."""
    base = "/v1/notifications"
    table: Sequence[tuple[str, str, type[Command], Handle]] = (
        (f"{base}/{{ref:ref}}:read", READ, ReadNotification, _read),
        (f"{base}/{{ref:ref}}:retry", DEAD, RetryNotification, _retry),
        (f"{base}:read-all", READ, ReadNotifications, _unconditional(_read_all)),
        (f"{base}:retry-all", DEAD, RetryNotifications, _unconditional(_retry_all)),
    )
    for path, action, model, handle in table:
        ref = {**openapi.REF, "description": "The message's id."} if "{ref" in path else None
        documentation = openapi.command_on("Changed", model, 200, ref=ref, conditional=bool(ref))
        yield CommandRoute(service, path, action, model, partial(handle, service), **documentation)


def router(service: Service) -> APIRouter:
    """The reads."""
    routes = APIRouter(
        prefix="/v1/notifications",
        tags=["notifications"],
        responses=openapi.problems(),
        default_response_class=Response,
    )
    reader = Depends(allowed(service, READ))

    @routes.get("")
    async def list_notifications(
        query: Annotated[OwnNotifications, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """One's own messages: unread ones first, the newest first among each; and how one is told.

        `deliveries` says what became of a message on each channel. The customer of a lead that one
        does not see any more is null, and not in the text.
        """
        await caught_up(service, query)
        limit = at_most(query.limit, service)
        after = decode_cursor(query.cursor, tuple[int, int, UUID]) if query.cursor else None
        position, rows = await service.reads.notifications(
            principal.name, unread=query.unread, after=after, limit=limit
        )
        person = (await service.registry.current()).people.get(principal.name, Person())
        visible = await _visible(service, principal, rows)
        items = [_shown(service, row, person.messages) for row in visible]
        last = rows and (rows[-1]["segment"], rows[-1]["position"], rows[-1]["id"])
        preferences = messages_json(person.messages)
        return listed(items, position, limit, last, preferences=preferences)

    @routes.get("/dead", dependencies=[allow(service, DEAD)])
    async def list_dead_notifications(query: Annotated[DeadNotifications, Query()]) -> Response:
        """Messages that were given up, the last one first, with the reason; none that were moot."""
        await caught_up(service, query)
        limit = at_most(query.limit, service)
        before = decode_cursor(query.cursor, int) if query.cursor else None
        position, rows = await service.reads.dead_notifications(
            channel=query.channel, before=before, limit=limit
        )
        items = [_given_up(service, row) for row in rows]
        return listed(items, position, limit, rows and rows[-1]["died"])

    return routes


def _unconditional(handle: Handle) -> Handle:
    """Many commands in one: asked again, it goes on with what is left, as a key would be for."""

    async def handled(service: Service, call: Call[Any]) -> Answer:
        given = {"Idempotency-Key": call.key, "If-Match": call.expected_version}
        for header, value in given.items():
            if value is not None:
                raise bad_parameter(header, "has no meaning here: send the request without it")
        return await handle(service, call)

    return handled


async def _read(service: Service, call: Call[ReadNotification]) -> Answer:
    """A message of somebody else is none."""
    message, recipient = await _found(service, call.ref)
    if recipient != call.principal.name:
        raise not_found()
    reading = service.notifications.read(message, recipient, _request(call))
    return await _changed(service, [reading])


async def _retry(service: Service, call: Call[RetryNotification]) -> Answer:
    message, recipient = await _found(service, call.ref)
    given = (message, recipient, call.command.channel, _request(call))
    return await _changed(service, [service.notifications.retry(*given)])


async def _read_all(service: Service, call: Call[ReadNotifications]) -> Answer:
    me, upto = call.principal.name, call.command.upto
    found = await service.reads.unread_notifications(me, upto=upto, limit=MOST_AT_ONCE)
    readings = [service.notifications.read(one, me, _request(call)) for one in found]
    return await _changed(service, readings)


async def _retry_all(service: Service, call: Call[RetryNotifications]) -> Answer:
    _, rows = await service.reads.dead_notifications(
        channel=call.command.channel, before=None, limit=MOST_AT_ONCE
    )
    retries = [
        service.notifications.retry(row["id"], row["recipient"], row["channel"], _request(call))
        for row in rows
    ]
    return await _changed(service, retries)


async def _found(service: Service, reference: str) -> tuple[UUID, str]:
    """A message's id and whom it is for; the problem 404 when there is none."""
    try:
        message = UUID(reference)
    except ValueError:
        raise not_found() from None
    recipient = await service.reads.recipient_of(message)
    if recipient is None:
        raise not_found()
    return message, recipient


async def _changed(service: Service, changes: Sequence[Coroutine[Any, Any, Reply[Any]]]) -> Answer:
    """What came of it: how many changed, and whether there may be more."""
    positions = [reply.position for reply in await asyncio.gather(*changes)]
    done = [position for position in positions if position is not None]
    body = {"notifications": len(done), "more": len(positions) == MOST_AT_ONCE}
    position = max(done) if done else await service.reads.head()
    return Answer(msgspec.json.encode(body), Leadlog_Position=str(position))


def _request(call: Call[Any]) -> Request:
    return Request(call.caller, call.key, call.expected_version)


async def _visible(
    service: Service, principal: Principal, rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The rows; without the customer, where the lead is outside of the caller's scope by now."""
    leads = {row["subject"] for row in rows if row["customer"]}
    known = await service.reads.known(list(leads), await scope_for(service, principal))
    return [
        {**row, "customer": row["customer"] if row["subject"] in known else None} for row in rows
    ]


def _shown(service: Service, row: Mapping[str, Any], wanted: Preferences) -> dict[str, Any]:
    """A message as its recipient sees it, in their language."""
    deliveries: dict[str, Any] = dict(row["deliveries"])
    seen = deliveries.pop("in-app", None)
    text = service.texts(_message(row), wanted.language)
    return {
        **_about(service, row),
        "title": text.subject,
        "text": text.body,
        "read_at": _of_json(service, seen and seen["at"]),
        "deliveries": {
            channel: {**became, "at": _of_json(service, became["at"])}
            for channel, became in deliveries.items()
        },
    }


def _given_up(service: Service, row: Mapping[str, Any]) -> dict[str, Any]:
    """A message that was given up, with the reason."""
    return {
        **_about(service, row),
        "recipient": row["recipient"],
        "channel": row["channel"],
        "error": row["error"],
        "attempts": row["attempts"],
        "given_up_at": _local(service, row["at"]),
    }


def _about(service: Service, row: Mapping[str, Any]) -> dict[str, Any]:
    of = "review" if row["kind"] == REVIEW else "lead"
    return {
        "id": row["id"],
        "kind": row["kind"],
        "created_at": _local(service, row["created_at"] or row["recorded_at"]),
        "due_at": _local(service, row["due_at"]),
        "lead": None,
        "review": None,
        of: row["subject"],
        "code": row["code"],
        "customer": row["customer"],
    }


def _message(row: Mapping[str, Any]) -> Message:
    own = {f.name for f in fields(Message)} & row.keys()
    return Message(**{name: row[name] for name in own})


def _of_json(service: Service, at: str | None) -> datetime | None:
    return _local(service, datetime.fromisoformat(at)) if at else None


def _local(service: Service, at: datetime | None) -> datetime | None:
    return at.astimezone(service.zone) if at else None
