"""What every read has in common: who may, from which position on, how far, and the answer."""

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Depends, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from api.access import require
from api.problems import bad_parameter
from api.service import Service
from commands.caller import Principal
from commands.fields import NO_NUL, instant

T = TypeVar("T")

_LOST_PLUS = re.compile(r"(?<=\d) (?=\d\d:\d\d$)")


def read_instant(text: str) -> datetime:
    """An instant out of a URL: a `+` that a client wrote there plainly arrives as a space."""
    return instant(_LOST_PLUS.sub("+", text))


Instant = Annotated[datetime, BeforeValidator(read_instant)]
Text = Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL)]


class Read(BaseModel):
    """Parameters of every read; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    min_position: int | None = Field(None, ge=0)
    """Wait until this position of the log, as in Leadlog-Position, is reflected."""


class Page(Read):
    """Parameters of every list."""

    limit: int = Field(50, ge=1)
    """How many at most; the setting LEADLOG_PAGE_LIMIT bounds it (200)."""
    cursor: str | None = Field(None, max_length=200)
    """`next` of the page before."""


def allowed(service: Service, action: str) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency that admits those who may do `action`."""

    async def admitted(request: Request) -> Principal:
        scope = request.scope
        principal = await service.doorkeeper.admit(scope, dict(scope["headers"]))
        require(principal, action)
        return principal

    return admitted


def allow(service: Service, action: str) -> Any:
    """The same, as a route's `dependencies` take it."""
    return Depends(allowed(service, action))


def answer(body: Mapping[str, Any] | bytes, position: int, **headers: str) -> Response:
    """A JSON body and the position of the log that it reflects."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    headers["Leadlog-Position"] = str(position)
    return Response(content, headers=headers, media_type="application/json")


def listed(items: Sequence[Any], position: int, limit: int, last: Any, **also: Any) -> Response:
    """A page of a list; `last` is the place of its last item, where a full page goes on."""
    following = encode_cursor(last) if len(items) == limit else None
    return answer({**also, "items": items, "next": following, "position": position}, position)


async def caught_up(service: Service, query: Read) -> None:
    """Wait until the read models reflect what the caller has seen."""
    if query.min_position:
        await service.reads.await_position(query.min_position)


def at_most(limit: int, service: Service) -> int:
    """The limit of a page, which is bounded."""
    if not 1 <= limit <= service.page_limit:
        raise bad_parameter("limit", f"lies between 1 and {service.page_limit}")
    return limit


def encode_cursor(place: Any) -> str:
    """The end of a page, for the next one to go on behind it."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def decode_cursor(cursor: str, kind: type[T]) -> T:
    """The place that a cursor stands for; the problem 400 when it was not made by us."""
    try:
        return msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise bad_parameter("cursor", "is not one that this list gave out") from None
