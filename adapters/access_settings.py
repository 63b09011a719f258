"""The settings of who is let in and how much they may ask for: a part of `Settings`.

Durations are in the unit that the name ends in. Lists are separated by commas.
"""

from ipaddress import ip_network
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode

LOOPBACK = ("127.0.0.1", "localhost", "::1")
Listed = Annotated[tuple[str, ...], NoDecode]


class AccessSettings(BaseSettings):
    """Tokens, sessions, the issuer, failed logins, browsers, sizes and times of requests."""

    host: str = "127.0.0.1"
    token_days: float = Field(365, gt=0, le=3650)
    """How long a token is valid for which nobody says otherwise."""
    session_hours: float = Field(12, gt=0, le=720)
    session_idle_minutes: float = Field(60, ge=5, le=43_200)
    """A session ends when it was not used for so long; uses are noted once a minute."""
    cookie_secure: bool = True
    """False lets browsers send the session's cookie over http: only on this machine."""

    oidc_issuer: str | None = None
    """The issuer as its tokens name it, such as https://login.example.com/realms/company."""
    oidc_audience: str | None = Field(None, validate_default=True)
    """Whom its tokens have to be for: this service as the issuer knows it."""
    oidc_claim: Literal["email", "preferred_username", "name"] = "email"
    """Which claim says who somebody is: by e-mail address, or by their name in the directory."""
    oidc_email_trusted: bool = False
    """Whether an address counts as verified where a token has no claim email_verified."""
    oidc_leeway_seconds: int = Field(60, ge=0, le=300)
    """How far the issuer's clock may be off."""
    oidc_refresh_seconds: float = Field(300, ge=1)
    """The issuer's keys are asked for again after so long."""
    oidc_refetch_seconds: float = Field(10, ge=0.1)
    """At most so often, whatever unknown keys tokens name."""
    oidc_stale_seconds: float = Field(3600, ge=1)
    """So long known keys are trusted while the issuer does not answer."""
    oidc_timeout_seconds: float = Field(5, gt=0, le=60)
    """How long the issuer may take to answer."""

    login_failures: int = Field(20, gt=0)
    """Failed logins of one address in a window; the next ones are answered 429."""
    login_failures_total: int = Field(1000, gt=0)
    """Of all addresses; beyond, one that has failed once in the window is answered 429."""
    login_window_seconds: int = Field(60, gt=0, le=3600)
    trusted_proxies: Listed = ()
    """Addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed."""
    cors_origins: Listed = ()
    """Pages of other origins that may call the API with a token, such as https://crm.example.com."""

    max_url_bytes: int = Field(8192, ge=256)
    max_headers: int = Field(100, ge=10)
    max_header_bytes: int = Field(32_768, ge=1024)
    """Of a request's line and headers together."""
    max_connections: int = Field(4096, gt=0)
    """To one process; the next ones are answered 503."""
    head_seconds: float = Field(10, gt=0)
    """How long the line and headers of a request may take to arrive."""
    body_seconds: float = Field(20, gt=0)
    """How long a client may be silent in the middle of a body."""
    write_seconds: float = Field(60, gt=0)
    """How long a client may leave an answer unread before its connection is cut."""
    keep_alive_seconds: int = Field(30, gt=0)
    """How long a connection may lie idle between two requests."""
    request_seconds: float = Field(60, gt=0)
    """How long a request may take until its answer begins."""
    upload_seconds: float = Field(900, gt=0)
    """The same for the upload of an attachment."""

    @field_validator("cookie_secure")
    @classmethod
    def _is_safe(cls, secure: bool, info: ValidationInfo) -> bool:
        if not secure and info.data.get("host") not in LOOPBACK:
            raise ValueError("false only where LEADLOG_HOST is 127.0.0.1: use https elsewhere")
        return secure

    @field_validator("oidc_issuer")
    @classmethod
    def _is_issuer(cls, issuer: str | None) -> str | None:
        if issuer and not is_safe_url(issuer):
            raise ValueError("not a URL such as https://login.example.com (http: this machine)")
        return issuer

    @field_validator("oidc_audience")
    @classmethod
    def _is_audience(cls, audience: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("oidc_issuer") and not audience:
            raise ValueError("needed where LEADLOG_OIDC_ISSUER is set: for whom its tokens are")
        return audience

    @field_validator("trusted_proxies", "cors_origins", mode="before")
    @classmethod
    def _is_list(cls, given: Any) -> Any:
        if isinstance(given, str):
            return tuple(part.strip() for part in given.split(",") if part.strip())
        return given

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ip_network(proxy)
            except ValueError:
                raise ValueError(f"{proxy} is no address or network such as 10.0.0.0/8") from None
        return proxies

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in ("http", "https")
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(f"{origin} is no origin such as https://crm.example.com")
        return origins


def is_safe_url(url: str) -> bool:
    """Whether what this URL answers can be trusted: https, or http on this machine alone."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
