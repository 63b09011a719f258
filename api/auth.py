"""Who is calling: by a token, a session's cookie or an issuer's token; and how often they may."""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from starlette.types import Scope

from api.forgery import SAFE, require_own_page
from api.problems import Problem
from api.throttle import FailedLogins
from commands import correlation
from commands.access import Ended, Forged, Issued, Opened, Unproven
from commands.caller import Principal
from commands.register import Registry

WRONG = "this token is unknown, expired or revoked"
WRONG_SESSION = "this session has ended: log in again with POST /v1/session"
TOKEN_PREFIX = "leadlog_"  # noqa: S105 - what a token begins with

Headers = Mapping[bytes, bytes]


class Credentials(Protocol):
    """Knows whom secrets of one kind belong to."""

    def familiar(self, secret: str) -> bool:
        """Whether it was good when it was looked up last."""
        ...

    async def principal(self, secret: str) -> Principal | None:
        """The person; None for an unknown secret. Unproven says why not, Ended that it was good
        once, Forged that it never was.
        """
        ...


class Tokens(Credentials, Protocol):
    """The tokens of people."""

    async def create(
        self, person: str, role: str, name: str, expires_at: datetime | None, by: str
    ) -> str | None:
        """A new token; None when a valid one of theirs has this name."""
        ...

    async def issued_to(
        self, person: str, after: tuple[str, datetime] | None, limit: int
    ) -> Sequence[Issued]:
        """Every token that was ever made for a person, by name and time; those after a place."""
        ...

    async def end(self, person: str, name: str | None = None) -> int:
        """End a person's token, or all of them and their sessions; how many tokens."""
        ...


class Sessions(Credentials, Protocol):
    """The sessions of the page."""

    async def open(self, principal: Principal, token: str | None) -> Opened:
        """A new session, that ends with a token of ours at the latest."""
        ...

    async def expires_at(self, cookie: str) -> datetime | None:
        """When a session ends at the latest."""
        ...

    async def end(self, cookie: str) -> None:
        """End a session, if there is one."""
        ...

    def forget(self, person: str) -> None:
        """All sessions of a person have ended."""
        ...


class Proof(NamedTuple):
    """What a request proves its caller with."""

    secret: str
    by: Credentials
    by_cookie: bool


class Doorkeeper:
    """Lets requests in: 401 without a valid credential, 429 above `rate` requests a second a person
    and after too many failures, 403 for a command by cookie that is not the page's own.
    """

    def __init__(
        self,
        tokens: Tokens,
        sessions: Sessions,
        issuer: Credentials | None,
        registry: Registry,
        failed: FailedLogins,
        *,
        cookie: str,
        rate: int,
    ) -> None:
        self._tokens, self._sessions, self._issuer = tokens, sessions, issuer
        self._registry = registry
        self._failed = failed
        self._cookie = cookie.encode()
        self._rate = rate
        self._second = 0
        self._counts: dict[str, int] = {}

    async def admit(self, scope: Scope, headers: Headers) -> Principal:
        """The caller of a request with these headers (names in lower case)."""
        proof = self.proof(headers)
        principal = await self._proven(proof, scope)
        if proof.by_cookie and scope["method"] not in SAFE:
            require_own_page(headers, proof.secret)
        self._count(principal.name)
        named = correlation.given()
        return principal._replace(correlation_id=named) if named else principal

    async def remain(self, headers: Headers) -> Principal:
        """The caller, as of now, of a request that was admitted and goes on; 401 when they may not.
        It is no new request and no guess, so no limit counts here: none may keep anybody in.
        """
        proof = self.proof(headers)
        try:
            return await self._owner(proof)
        except Unproven as error:
            raise _ended(proof, error) from None

    def note_failure(self, scope: Scope) -> None:
        """A secret of another kind was wrong; the problem 429 when that happens too often."""
        client = _address(scope)
        if self._failed.too_many(client):
            raise self._failed.refusal()
        self._failed.note(client)

    def proof(self, headers: Headers) -> Proof:
        """What a request with these headers proves its caller with; 401 if it is nothing."""
        given = headers.get(b"authorization")
        if given is None and (cookie := self.cookie(headers)):
            return Proof(cookie, self._sessions, by_cookie=True)
        scheme, _, secret = (given or b"").partition(b" ")
        if scheme.lower() != b"bearer":
            raise _unauthorised("send a token: Authorization: Bearer leadlog_...")
        token = secret.decode("latin-1").strip()
        if self._issuer and token.count(".") == 2 and not token.startswith(TOKEN_PREFIX):
            return Proof(token, self._issuer, by_cookie=False)
        return Proof(token, self._tokens, by_cookie=False)

    def cookie(self, headers: Headers) -> str | None:
        """The session's cookie, if the request has one."""
        for part in headers.get(b"cookie", b"").split(b";"):
            name, _, value = part.strip().partition(b"=")
            if name == self._cookie and value:
                return value.decode("latin-1")
        return None

    async def _proven(self, proof: Proof, scope: Scope) -> Principal:
        client = _address(scope)
        if self._failed.too_many(client) and not proof.by.familiar(proof.secret):
            raise self._failed.refusal()
        try:
            return await self._owner(proof)
        except Unproven as error:
            if isinstance(error, Forged):
                self._failed.note(client)
            raise _ended(proof, error) from None

    async def _owner(self, proof: Proof) -> Principal:
        found = await proof.by.principal(proof.secret)
        if found is None:
            raise Forged
        return await self._today(found)

    async def _today(self, principal: Principal) -> Principal:
        """With the role that the directory gives them now; Ended for those who left.

        Somebody whom it does not know keeps the role that their token was made with.
        """
        person = (await self._registry.current()).people.get(principal.name)
        if person is None:
            return principal
        if not person.active or not person.role:
            raise Ended
        return Principal(principal.name, person.role)

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


def _address(scope: Scope) -> str:
    """Where a request comes from; a listed proxy may have said so."""
    client = scope.get("client")
    return client[0] if client else ""


def _ended(proof: Proof, error: Unproven) -> Problem:
    why = str(error) or (WRONG_SESSION if proof.by_cookie else WRONG)
    return _unauthorised(why, "invalid_token")


def _unauthorised(detail: str, error: str | None = None) -> Problem:
    challenge = 'Bearer realm="leadlog"' + (f', error="{error}"' if error else "")
    return Problem(401, "unauthorised", detail, headers={"WWW-Authenticate": challenge})
