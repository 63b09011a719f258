"""The signing keys of an OpenID Connect issuer: found by its discovery document, cached, renewed.

Known keys are renewed beside the requests that use them. A key of an unknown name is asked for, but
only every few seconds, so a flood of made-up names costs the issuer next to nothing.
"""

import asyncio
import logging
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from adapters.access_settings import is_safe_url
from commands.ports import Unavailable

logger = logging.getLogger("leadlog.oidc")

ALGORITHMS: Mapping[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
"""What a token may be signed with, and the type and curve of the key: nothing symmetric, not none.

Ed25519 is what RFC 9864 calls EdDSA on that curve.
"""
MAX_DOCUMENT = 2**18
MAX_KEYS = 100
MIN_RSA_BYTES = 256
PARTS = ("kty", "kid", "alg", "n", "e", "crv", "x", "y")
"""Of a public key (RFC 7517, RFC 7518, RFC 8037): each is text."""

UNBELIEVABLE = (
    httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, TypeError, RecursionError,
)  # fmt: skip
"""What it comes to when an issuer does not answer, or with what is no key set."""

PublicKey = RSAKey | ECKey | OKPKey
Keys = Mapping[str | None, PublicKey]


class IssuerKeys:
    """The keys of one issuer, by name. Times in seconds: known keys are renewed every `refresh`
    and trusted for `stale` while the issuer is away; it is asked at most every `refetch`.
    """

    def __init__(
        self, issuer: str, *, refresh: float, refetch: float, stale: float, timeout: float
    ) -> None:
        self._issuer = issuer
        self._refresh, self._refetch, self._stale = refresh, refetch, stale
        self._timeout = timeout
        self._keys: Keys = {}
        self._fetched = self._tried = float("-inf")
        self._failed = False
        self._fetching: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None

    async def find(self, kid: str | None) -> PublicKey | None:
        """The key of this name, or the only one; None when the issuer has none of this name.

        Unavailable when it is not known and the issuer cannot be asked.
        """
        if found := self._known(kid):
            if self._age() > self._refresh:
                self._fetch_soon()
            return found
        if fetching := self._fetch_soon():
            await asyncio.shield(fetching)
        found = self._known(kid)
        if found is None and self._failed:
            raise Unavailable("the issuer of this token cannot be asked for its keys")
        return found

    async def close(self) -> None:
        """Give up what is under way and close the connections."""
        if self._fetching:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        if self._client:
            await self._client.aclose()

    def _age(self) -> float:
        return time.monotonic() - self._fetched

    def _known(self, kid: str | None) -> PublicKey | None:
        return self._keys.get(kid) if self._age() <= self._stale else None

    def _fetch_soon(self) -> "asyncio.Task[None] | None":
        """The fetch under way, or a new one; None so shortly after the last one."""
        if self._fetching and not self._fetching.done():
            return self._fetching
        if time.monotonic() - self._tried < self._refetch:
            return None
        self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        self._failed = True
        try:
            async with asyncio.timeout(self._timeout):
                self._keys = await self._read()
        except UNBELIEVABLE as error:
            why = str(error) or type(error).__name__
            logger.warning("the issuer %s does not give its keys: %s", self._issuer, why)
        else:
            self._fetched, self._failed = time.monotonic(), False
        finally:
            self._tried = time.monotonic()

    async def _read(self) -> Keys:
        """The issuer's keys. ValueError for what is no such document (OIDC Discovery, 4.3)."""
        discovery = await self._document(
            self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        )
        if discovery.get("issuer") != self._issuer:
            raise ValueError("its discovery document is of another issuer")
        where = discovery.get("jwks_uri")
        if not isinstance(where, str) or not is_safe_url(where):
            raise ValueError("its discovery document names no safe jwks_uri")
        listed = (await self._document(where)).get("keys")
        keys = usable(listed if isinstance(listed, list) else [])
        if not keys:
            raise ValueError("it has no key of a kind that may sign")
        return keys

    async def _document(self, url: str) -> dict[str, Any]:
        self._client = self._client or httpx.AsyncClient(follow_redirects=False)
        content = b""
        async with self._client.stream("GET", url, timeout=self._timeout) as answer:
            answer.raise_for_status()
            async for piece in answer.aiter_bytes():
                content += piece
                if len(content) > MAX_DOCUMENT:
                    raise ValueError(f"it answers with more than {MAX_DOCUMENT} bytes")
        return msgspec.json.decode(content, type=dict[str, Any])


def usable(listed: list[Any]) -> Keys:
    """The keys of a JWK set that may sign, by name (RFC 7517); a lone one under None, too."""
    keys: dict[str | None, PublicKey] = {}
    for entry in listed[:MAX_KEYS]:
        if key := _key(entry):
            keys[key.kid] = key
    if len(keys) == 1:
        keys[None] = next(iter(keys.values()))
    return keys


def _key(entry: Any) -> PublicKey | None:
    """A public key of a kind that may sign; None for any other, which is left alone."""
    if not isinstance(entry, dict) or entry.get("use") not in (None, "sig"):
        return None
    if not all(isinstance(value, str) for name, value in entry.items() if name in PARTS):
        return None
    kinds = {kind for name, kind in ALGORITHMS.items() if entry.get("alg") in (None, name)}
    curve = None if entry.get("kty") == "RSA" else entry.get("crv")
    if (entry.get("kty"), curve) not in kinds:
        return None
    public = {name: entry[name] for name in PARTS if name in entry}
    try:
        if public["kty"] == "RSA" and _octets(public["n"]) < MIN_RSA_BYTES:
            return None
        key = JWKRegistry.import_key(public)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    assert isinstance(key, RSAKey | ECKey | OKPKey)
    return key


def _octets(number: str) -> int:
    return len(urlsafe_b64decode(number + "=" * (-len(number) % 4)).lstrip(b"\0"))
