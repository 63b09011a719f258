"""Tokens of an OpenID Connect issuer: signed JWTs that say who somebody is (RFC 7519, RFC 8725).

Nothing of a token is believed before its signature holds, and nothing of it is ever a role.
"""

import time
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any

import msgspec
from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError, UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from adapters.access_settings import AccessSettings
from adapters.oidc_keys import ALGORITHMS, IssuerKeys, PublicKey
from adapters.tokens import digest
from adapters.trust import Trusted
from commands.access import Forged, Identity, Unproven

MAX_HEADER = 1024
TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
"""ID tokens and access tokens (RFC 9068); others of the same issuer are for other uses."""

FORGED = "this token is not signed by the issuer, or with an algorithm that is not accepted"
WRONG = {
    "iss": "this token is of another issuer",
    "aud": "this token is for another service: ask the issuer for one with our audience",
    "nbf": "this token is not valid yet",
    "iat": "this token was issued in the future",
}


class _Header(msgspec.Struct):
    alg: str
    kid: str | None = None
    typ: str | None = None
    crit: Any = None
    b64: Any = None


class _Signatures(JWSRegistry):
    """Exactly our algorithms; the library's own would warn of EdDSA's old name each time."""

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError("not accepted")
        return self.algorithms[name]


SIGNATURES = _Signatures(strict_check_header=False)


class OidcIssuer:
    """Whom the issuer's tokens are of; what was verified is trusted for a moment."""

    def __init__(self, settings: AccessSettings) -> None:
        assert settings.oidc_issuer
        self._keys = IssuerKeys(
            settings.oidc_issuer,
            refresh=settings.oidc_refresh_seconds,
            refetch=settings.oidc_refetch_seconds,
            stale=settings.oidc_stale_seconds,
            timeout=settings.oidc_timeout_seconds,
        )
        self._claims = JWTClaimsRegistry(
            leeway=settings.oidc_leeway_seconds,
            iss={"essential": True, "value": settings.oidc_issuer},
            aud={"essential": True, "value": settings.oidc_audience or ""},
            exp={"essential": True},
        )
        self._claim = settings.oidc_claim
        self._verifies = settings.oidc_email_trusted
        self._trusted: Trusted[Identity] = Trusted()

    def familiar(self, token: str) -> bool:
        """Whether the token was good when it was verified last."""
        return self._trusted.familiar(digest(token))

    async def identity(self, token: str) -> Identity:
        """What the issuer says of the token's person. Unproven with the reason otherwise, Forged
        for what it has not signed; Unavailable when the key is not known and it cannot be asked.
        """
        hashed = digest(token)
        if found := self._trusted.get(hashed):
            return found
        self._trusted.keep(hashed, None)
        header = _header(token)
        key = await self._keys.find(header.kid)
        if key is None:
            raise Forged("this token is signed with a key that the issuer does not have")
        claims = _verified(token, header, key)
        self._check(claims)
        identity = self._identity(claims)
        left = claims["exp"] + self._claims.leeway - time.time()
        self._trusted.keep(hashed, identity, left)
        return identity

    async def close(self) -> None:
        """Close the connections to the issuer."""
        await self._keys.close()

    def _check(self, claims: Mapping[str, Any]) -> None:
        try:
            self._claims.validate(dict(claims))
        except ExpiredTokenError:
            raise Unproven("this token has expired: get a new one from the issuer") from None
        except ClaimError as error:
            missing = f"this token lacks a right {error.claim}"
            raise Unproven(WRONG.get(error.claim, missing)) from None

    def _identity(self, claims: Mapping[str, Any]) -> Identity:
        value = claims.get(self._claim)
        if not isinstance(value, str) or not value.strip():
            raise Unproven(f"this token says no {self._claim}: ask the issuer for that claim")
        if self._claim == "email" and not self._is_verified(claims):
            raise Unproven("the issuer has not verified this person's e-mail address")
        return Identity(self._claim, value.strip())

    def _is_verified(self, claims: Mapping[str, Any]) -> bool:
        """Whether the issuer says so; some say nothing (OIDC Core, 5.1: the claim is optional)."""
        said = claims.get("email_verified", self._verifies)
        return said is True or said == "true"


def _header(token: str) -> _Header:
    """The header, which only says how to verify. Forged for one that is not accepted."""
    first = token.partition(".")[0]
    if len(first) > MAX_HEADER:
        raise Forged(FORGED)
    try:
        decoded = urlsafe_b64decode(first + "=" * (-len(first) % 4))
        header = msgspec.json.decode(decoded, type=_Header)
    except (NotBase64, ValueError, RecursionError, msgspec.MsgspecError):
        raise Forged(FORGED) from None
    typ = header.typ and header.typ.lower()
    extended = (header.crit, header.b64) != (None, None)
    if header.alg not in ALGORITHMS or typ not in TYPES or extended:
        raise Forged(FORGED)
    return header


def _verified(token: str, header: _Header, key: PublicKey) -> Mapping[str, Any]:
    """The claims of a token that this key has signed. Forged otherwise."""
    if key.get("alg") not in (None, header.alg):
        raise Forged(FORGED)
    try:
        return jwt.decode(token, key, registry=SIGNATURES).claims
    except (JoseError, ValueError, TypeError, RecursionError):
        raise Forged(FORGED) from None
