"""Where webhooks may go: public addresses by https, and what the settings allow (SSRF).

A URL is looked at when it is given. What counts is the address that is connected to, and that is
looked at each time: the name is resolved here, every address of it is checked, and a checked one is
connected to, so that a name cannot mean something else a moment later. Nothing redirects.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)  # fmt: skip
from urllib.parse import urlsplit

import httpcore

from commands.webhooks import UnsafeUrl

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name; OSError when there are none."""

RESOLVE_SECONDS = 5.0
EMBEDDING = (
    ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"),  # NAT64
    ip_network("2002::/16"), ip_network("2001::/32"), ip_network("::/96"),  # 6to4, Teredo, IPv4
    ip_network("fec0::/10"),  # site-local, as it was once
)  # fmt: skip
"""IPv6 that leads to an IPv4 address, of whatever kind that is."""
NEVER_PUBLIC = (
    ip_network("168.63.129.16/32"), ip_network("192.0.0.0/24"),  # insides of clouds
    ip_network("192.88.99.0/24"), ip_network("3fff::/20"),  # 6to4's relays, documentation
)  # fmt: skip
"""Public by number for Python 3.11, and yet no place on the internet."""


class Guard:
    """Says where a webhook may go. `allowed`: networks that need not be public."""

    def __init__(
        self, allowed: Iterable[str] = (), *, http: bool = False, resolve: Resolve | None = None
    ) -> None:
        self._allowed = [ip_network(network) for network in allowed]
        self._schemes = ("https", "http") if http else ("https",)
        self._resolve = resolve or _system

    async def check(self, url: str) -> None:
        """Raise UnsafeUrl with the reason for a URL that events must not go to, as it is now."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise UnsafeUrl("is not a URL") from None
        if parts.scheme not in self._schemes:
            raise UnsafeUrl("begins with https://")
        if parts.username is not None or parts.password is not None:
            raise UnsafeUrl("holds no name and no password: messages are signed")
        if not host or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
            raise UnsafeUrl("is a plain address such as https://crm.example.com/leadlog")
        await self.addresses(host, port or (443 if parts.scheme == "https" else 80))

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """The addresses to connect to; UnsafeUrl if a single one is not to be."""
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = [ip_address(name) for name in await self._resolve(host, port)]
        except (OSError, ValueError):
            found = []
        if not found:
            raise UnsafeUrl("has a host that cannot be found")
        for address in found:
            if not self._may(address):
                raise UnsafeUrl(
                    "leads to an address that is not public: an operator can allow its network"
                    " with LEADLOG_WEBHOOK_ALLOWED"
                )
        return [str(address) for address in found]

    def _may(self, address: Address) -> bool:
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if _within(address, self._allowed):
            return True
        is_plain = address.is_global and not address.is_multicast and not address.is_reserved
        return is_plain and not _within(address, (*EMBEDDING, *NEVER_PUBLIC))


class PinnedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only; TLS still proves the name in the URL."""

    def __init__(self, guard: Guard) -> None:
        self._guard, self._network = guard, httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The first address that answers. Raises UnsafeUrl, or what the library raises."""
        error: Exception = httpcore.ConnectError("no address")
        for address in await self._guard.addresses(host, port):
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError as failed:
                error = failed
        raise error

    async def connect_unix_socket(self, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        """There is no way there."""
        raise UnsafeUrl("leads to no socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """The library pauses between tries."""
        await asyncio.sleep(seconds)


def _within(address: Address, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    return any(address in network for network in networks)


async def _system(host: str, port: int) -> Sequence[str]:
    """As the machine resolves names; a number in any spelling is what it stands for."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))
