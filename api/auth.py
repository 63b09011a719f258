"""Who is calling: the bearer token of a request, and how often they may call."""

import time
from collections.abc import Mapping
from typing import Protocol

from api.problems import Problem
from commands.caller import Principal
from commands.register import Registry


class Tokens(Protocol):
    """Knows whom a token belongs to."""

    async def principal(self, token: str) -> Principal | None:
        """The person; None for a token that is unknown, expired or revoked."""
        ...


class Doorkeeper:
    """Lets requests in: 401 without a valid token, 429 above `rate` requests a second a person."""

    def __init__(self, tokens: Tokens, registry: Registry, *, rate: int) -> None:
        self._tokens = tokens
        self._registry = registry
        self._rate = rate
        self._second = 0
        self._counts: dict[str, int] = {}

    async def admit(self, headers: Mapping[bytes, bytes]) -> Principal:
        """The caller of a request with these headers (names in lower case)."""
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer":
            raise _unauthorised("send a token: Authorization: Bearer leadlog_...")
        principal = await self._tokens.principal(token.decode("latin-1").strip())
        principal = principal and await self._today(principal)
        if principal is None:
            raise _unauthorised("this token is unknown, expired or revoked", "invalid_token")
        self._count(principal.name)
        return principal

    async def _today(self, principal: Principal) -> Principal | None:
        """With the role that the directory gives them now; None for those who left.

        Somebody whom it does not know keeps the role that their token was made with.
        """
        person = (await self._registry.current()).people.get(principal.name)
        if person is None:
            return principal
        return Principal(principal.name, person.role) if person.active and person.role else None

    def _count(self, name: str) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._counts = second, {}
        count = self._counts[name] = self._counts.get(name, 0) + 1
        if count > self._rate:
            raise Problem(
                429,
                "too-many-requests",
                f"at most {self._rate} requests a second",
                headers={"Retry-After": "1"},
            )


def _unauthorised(detail: str, error: str | None = None) -> Problem:
    challenge = 'Bearer realm="leadlog"' + (f', error="{error}"' if error else "")
    return Problem(401, "unauthorised", detail, headers={"WWW-Authenticate": challenge})
