"""The way of a command through HTTP.

A route of its own kind, past FastAPI's dependency injection and response models: those would take
more CPU than the command itself. OpenAPI shows such a route like any other.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from aggregates.refusal import Refusal
from api.access import require
from api.problems import Problem, bad_parameter, invalid
from api.service import Service
from commands.caller import Principal
from commands.fields import Command
from commands.loop import CommandReused, Contended, VersionMismatch
from commands.ports import Unavailable

C = TypeVar("C", bound=Command)

_ETAG = re.compile(rb'"(\d{1,18})"')
_OUTCOMES: Mapping[type[Exception], str] = {
    Refusal: "refused",
    Problem: "refused",
    CommandReused: "refused",
    VersionMismatch: "conflict",
    Contended: "conflict",
    Unavailable: "unavailable",
}
_KEY = re.compile(rb"[\x21-\x7e]{1,255}")


class Call(Generic[C]):
    """One admitted request: who calls, for what, under which conditions."""

    __slots__ = ("caller", "command", "expected_version", "key", "principal", "ref")

    def __init__(
        self, ref: str, principal: Principal, command: C, headers: Mapping[bytes, bytes]
    ) -> None:
        self.ref = ref
        self.principal = principal
        self.caller = principal.caller
        self.command = command
        self.key = idempotency_key(headers)
        self.expected_version = _expected_version(headers)


class Answer:
    """A JSON body with its status and headers. `repeated`: the command was carried out before."""

    __slots__ = ("body", "headers", "repeated", "status")

    def __init__(
        self, body: bytes, status: int = 200, *, repeated: bool = False, **headers: str
    ) -> None:
        self.body = body
        self.status = status
        self.repeated = repeated
        self.headers = headers


class CommandRoute(APIRoute):
    """POST of one kind of command for those who may do `action`."""

    def __init__(
        self,
        service: Service,
        path: str,
        action: str,
        model: type[C],
        handle: Callable[[Call[C]], Awaitable[Answer]],
        **documentation: Any,
    ) -> None:
        super().__init__(
            path,
            _handled_below,
            methods=["POST"],
            name=action,
            response_model=None,
            **documentation,
        )
        self._service = service
        self._action = action
        self._parse: Callable[[bytes], Any] = model.model_validate_json
        self._handle = handle
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        principal = await self._service.doorkeeper.admit(scope, headers)
        require(principal, self._action)
        if scope["query_string"]:
            raise bad_parameter("query", "is empty for a command: everything is in its body")
        command = self._parsed(await read_body(receive))
        ref = scope["path_params"].get("ref", "")
        try:
            answer = await self._handle(Call(ref, principal, command, headers))
        except Exception as error:
            self._service.health.note_command(self._action, _outcome(error))
            raise
        done = "repeated" if answer.repeated else "accepted"
        self._service.health.note_command(self._action, done)
        await send_json(send, answer)

    def _parsed(self, body: bytes) -> Any:
        try:
            return self._parse(body)
        except ValidationError as error:
            raise invalid(error) from None


async def _handled_below() -> None:
    """Stands where FastAPI wants an endpoint to document."""


def _outcome(error: Exception) -> str:
    """What became of a command that ended in an exception, in a word."""
    kinds = (kind for kind in type(error).__mro__ if kind in _OUTCOMES)
    return next((_OUTCOMES[kind] for kind in kinds), "failed")


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def send_json(send: Send, answer: Answer) -> None:
    """Answer with JSON."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(answer.body)),
    ]
    headers += [(k.replace("_", "-").encode(), v.encode()) for k, v in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def idempotency_key(headers: Mapping[bytes, bytes]) -> str | None:
    """The key that makes a request repeatable, if it has one; the problem 400 otherwise."""
    key = headers.get(b"idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise bad_parameter("Idempotency-Key", "has 1 to 255 visible ASCII characters")
    return key.decode()


def _expected_version(headers: Mapping[bytes, bytes]) -> int | None:
    etag = headers.get(b"if-match")
    if etag is None:
        return None
    if not (match := _ETAG.fullmatch(etag.strip())):
        raise bad_parameter("If-Match", 'is one version in quotes, as ETag gives it: "7"')
    return int(match[1])
