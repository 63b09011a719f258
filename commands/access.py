"""Proving who one is: what the parts that know tokens, sessions and issuers tell the others."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pydantic import ConfigDict

from commands.fields import At, Command, Name, example


class Unproven(Exception):  # noqa: N818 - a condition, not a defect
    """A credential that does not prove who calls. The message says why and holds nothing of it."""


class Forged(Unproven):
    """One that was never good, so it may be a guess."""


class Ended(Unproven):
    """One of ours that was good once: no guess, but answered like an unknown one, without a why."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What an issuer says of a person: the value of the claim that the directory knows them by."""

    claim: str
    value: str


class Issued(NamedTuple):
    """A token as lists show it. `created_by` is the actor who made it, None for an old one."""

    person: str
    role: str
    name: str
    created_at: datetime
    created_by: str | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class Opened(NamedTuple):
    """A session that has just begun: the cookie's value, which is not kept, and its end."""

    cookie: str
    expires_at: datetime


class CreateToken(Command):
    """Make a token for a person; the answer shows it this once."""

    model_config = ConfigDict(json_schema_extra=example(name="laptop", never=False))

    name: Name
    """What it is for; no other valid token of this person has it."""
    expires_at: At | None = None
    """When it ends; without it, after the days of the setting LEADLOG_TOKEN_DAYS (365)."""
    never: bool = False
    """It ends only when it is revoked."""


class RevokeTokens(Command):
    """End a token, or all tokens and sessions of a person."""

    model_config = ConfigDict(json_schema_extra=example(name="laptop"))

    name: Name | None = None
    """Which one; without it, all."""
