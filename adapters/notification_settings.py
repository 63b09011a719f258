"""What the settings of e-mail and chat say. A ValueError never repeats what it was given: there may
be passwords in it.
"""

import json
from collections.abc import Mapping
from email.headerregistry import Address
from email.utils import parseaddr
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

STARTTLS: Mapping[str, bool | None] = {"auto": None, "required": True, "never": False}
PORTS = {"smtp": 587, "smtps": 465}
CHAT_SCHEMES = ("wecombot", "dingtalk", "feishu", "json", "jsons")
"""WeCom, DingTalk, Feishu, and a plain POST of JSON to a receiver of one's own."""


class SmtpServer(NamedTuple):
    """A mail server. `starttls`: True = refuse to go on without, None = where it is offered."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: bool
    starttls: bool | None


def smtp_server(url: str) -> SmtpServer:
    """The server of a URL such as smtp://user:password@host:587?starttls=required."""
    parts = urlsplit(url)
    given = parse_qs(parts.query)
    starttls = given.pop("starttls", ["auto"])[-1]
    try:
        port = parts.port or PORTS[parts.scheme]
    except (KeyError, ValueError):
        port = 0
    if not (port and parts.hostname and starttls in STARTTLS) or given or parts.path.strip("/"):
        raise ValueError(
            "write it as smtp://user:password@host:587?starttls=required, or smtps://…"
        )
    tls = parts.scheme == "smtps"
    return SmtpServer(
        host=parts.hostname,
        port=port,
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=tls,
        starttls=False if tls else STARTTLS[starttls],
    )


def sender_address(text: str) -> Address:
    """The address that messages come from, with the name that stands before it, if any."""
    name, address = parseaddr(text)
    try:
        sender = Address(name, addr_spec=address)
    except (ValueError, IndexError):
        sender = Address()
    if not (sender.username and sender.domain and text.isprintable()):
        raise ValueError("an address such as leads@example.com, or 线索 <leads@example.com>")
    return sender


def chat_bots(text: str) -> Mapping[str, str]:
    """The URL of each team's bot; that of "" serves everybody else."""
    try:
        bots = json.loads(text) if text.lstrip().startswith("{") else {"": text}
    except ValueError:
        bots = {}
    if not bots or not all(isinstance(url, str) and _is_bot(url) for url in bots.values()):
        schemes = ", ".join(f"{scheme}://" for scheme in CHAT_SCHEMES)
        raise ValueError(f"a URL, or a JSON object of team and URL, with one of {schemes}")
    return bots


def _is_bot(url: str) -> bool:
    scheme, found, _ = url.partition("://")
    return bool(found) and scheme in CHAT_SCHEMES
