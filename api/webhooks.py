"""Webhooks over HTTP: administrators say which addresses are told what, auditors may look.

A webhook is shown with all that is known of its deliveries; its secret is shown when it is made.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from aggregates.lead.telling import plain
from aggregates.privacy import mask_text
from api import openapi
from api.command_route import Answer, Call, CommandRoute
from api.hand_over import unconditional
from api.problems import Problem, not_found
from api.reading import Page, allowed, at_most, decode_cursor, listed
from api.service import Service
from api.webhooks_json import SCHEMAS
from commands import webhooks as w
from commands.caller import Principal
from commands.webhooks import DeadMessage, Webhook, without_query

__all__ = ("SCHEMAS", "router", "routes")

READ, CHANGE = "webhooks.read", "webhooks.change"
BASE = "/v1/webhooks"
NO_SUCH = "there is no such webhook"
Handle = Callable[[Service, Call[Any]], Awaitable[Answer]]


def routes(service: Service) -> Iterator[CommandRoute]:
    """The commands."""
    one = BASE + "/{ref:ref}"
    table: tuple[tuple[str, type[Any], Handle, str, int], ...] = (
        (BASE, w.CreateWebhook, _create, "NewWebhook", 201),
        (f"{one}:change", w.ChangeWebhook, _change, "Webhook", 200),
        (f"{one}:rotate-secret", w.RotateWebhookSecret, _rotate, "NewWebhook", 200),
        (f"{one}:replay", w.ReplayWebhook, _replay, "Webhook", 200),
        (f"{one}:retry", w.RetryWebhookMessages, _retry, "RetriedMessages", 200),
        (f"{one}:test", w.TestWebhook, _test, "TestedWebhook", 200),
        (f"{one}:delete", w.DeleteWebhook, _delete, "DeletedWebhook", 200),
    )
    for path, model, handle, answer, status in table:
        ref = {**openapi.REF, "description": "The webhook's id."} if path != BASE else None
        documentation = openapi.command_on(answer, model, status, ref=ref, conditional=False)
        documentation["tags"] = ["feed"]
        yield CommandRoute(service, path, CHANGE, model, partial(handle, service), **documentation)


def router(service: Service) -> APIRouter:
    """The reads."""
    routes = APIRouter(prefix=BASE, tags=["feed"], responses=openapi.problems(404))
    reader = Depends(allowed(service, READ))

    @routes.get("", responses=openapi.shape("Webhooks"), response_class=Response)
    async def list_webhooks(
        query: Annotated[Page, Query()], _: Annotated[Principal, reader]
    ) -> Response:
        """All webhooks, the oldest first, with how far each is and what its receiver said last."""
        limit = at_most(query.limit, service)
        begin = decode_cursor(query.cursor, int) if query.cursor else 0
        head = await service.reads.head()
        page = (await service.webhooks.store.all())[begin : begin + limit]
        items = [_json(service, webhook) for webhook in page]
        return listed(items, head, limit, begin + limit)

    @routes.get("/{ref:ref}/dead", responses=openapi.shape("DeadMessages"), response_class=Response)
    async def list_dead_messages(
        ref: str, query: Annotated[Page, Query()], _: Annotated[Principal, reader]
    ) -> Response:
        """Events that were given up at a webhook, the latest first, with the reason."""
        webhook = await _found(service, ref)
        limit = at_most(query.limit, service)
        before = decode_cursor(query.cursor, int) if query.cursor else None
        head = await service.reads.head()
        dead = await service.webhooks.store.dead(webhook.id, before, limit)
        items = [_dead_json(service, message) for message in dead]
        return listed(items, head, limit, dead[-1].position if dead else None)

    return routes


async def _create(service: Service, call: Call[w.CreateWebhook]) -> Answer:
    """No Idempotency-Key: the same answer again would need the secret, which is shown once."""
    unconditional(call)
    made = await service.webhooks.create(call.command, call.caller)
    return await _answer(service, made, 201, secret=service.webhooks.sender.secret(made))


async def _change(service: Service, call: Call[w.ChangeWebhook]) -> Answer:
    unconditional(call)
    found = await _found(service, call.ref)
    return await _answer(service, await service.webhooks.change(found, call.command, call.caller))


async def _rotate(service: Service, call: Call[w.RotateWebhookSecret]) -> Answer:
    unconditional(call)
    found = await _found(service, call.ref)
    changed = await service.webhooks.rotate(found, call.command, call.caller)
    secret = service.webhooks.sender.secret(changed) if changed else None
    return await _answer(service, changed, secret=secret)


async def _replay(service: Service, call: Call[w.ReplayWebhook]) -> Answer:
    unconditional(call)
    found = await _found(service, call.ref)
    return await _answer(service, await service.webhooks.replay(found, call.command, call.caller))


async def _retry(service: Service, call: Call[w.RetryWebhookMessages]) -> Answer:
    unconditional(call)
    found = await _found(service, call.ref)
    retried = await service.webhooks.retry(found, call.command.position, call.caller)
    return Answer(msgspec.json.encode({"messages": retried}))


async def _test(service: Service, call: Call[w.TestWebhook]) -> Answer:
    unconditional(call)
    sent = await service.webhooks.sender.test(await _found(service, call.ref))
    body = {"taken": sent.taken, "status": sent.status, "error": sent.error}
    return Answer(msgspec.json.encode(body))


async def _delete(service: Service, call: Call[w.DeleteWebhook]) -> Answer:
    unconditional(call)
    found = await _found(service, call.ref)
    await service.webhooks.delete(found, call.caller)
    return Answer(msgspec.json.encode({"deleted": found.id}))


async def _found(service: Service, reference: str) -> Webhook:
    """The webhook of this id; the problem 404 when there is none."""
    try:
        found = await service.webhooks.store.find(UUID(reference))
    except ValueError:
        found = None
    if found is None:
        raise not_found(NO_SUCH)
    return found


async def _answer(
    service: Service, webhook: Webhook | None, status: int = 200, *, secret: str | None = None
) -> Answer:
    if webhook is None:
        raise Problem(404, "not-found", NO_SUCH)
    body = {**_json(service, webhook), **({"secret": secret} if secret else {})}
    return Answer(
        msgspec.json.encode(body), status, Leadlog_Position=str(await service.reads.head())
    )


def _json(service: Service, webhook: Webhook) -> dict[str, Any]:
    shown: Mapping[str, Any] = {
        field.name: getattr(webhook, field.name) for field in fields(webhook)
    } | {
        "active": webhook.disabled is None,
        "url": mask_text(without_query(webhook.url)),
        "description": mask_text(webhook.description),
    }
    hidden = ("secret", "refusals")
    return {n: plain(value, service.zone) for n, value in shown.items() if n not in hidden}


def _dead_json(service: Service, message: DeadMessage) -> dict[str, Any]:
    return {name: plain(value, service.zone) for name, value in message._asdict().items()}
