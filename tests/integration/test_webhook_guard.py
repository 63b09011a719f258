"""Where webhooks may go: by the address that is connected to, each time (SSRF)."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from adapters.webhook_guard import Guard
from adapters.webhook_sender import Sender
from commands.webhooks import UnsafeUrl, Webhook

pytestmark = pytest.mark.anyio

PUBLIC = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34")
INSIDE = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200",
    "127.0.0.1", "127.1.2.3", "168.63.129.16", "169.254.169.254", "169.254.0.1", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.88.99.1", "192.0.2.1",
    "192.168.0.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::",
    "2002:a9fe:a9fe::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "ff0e::1",
    "3fff::1",
)  # fmt: skip
SPELLINGS = (
    "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "localhost", "0",
    "[::1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
)  # fmt: skip
"""Of this machine, as the system's resolver reads them."""
HOOK = Webhook(
    UUID(int=1), "", "", (), 1, None, 0, 0, None, 0, None, None, None, 0, None,
    datetime.now(UTC), "user:Li", datetime.now(UTC), "user:Li",
)  # fmt: skip


class Names:
    """A resolver of the test's own: each time it is asked it says the next thing it was told."""

    def __init__(self, *said: Sequence[str]) -> None:
        self._said = list(said)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        return self._said.pop(0) if len(self._said) > 1 else self._said[0]


@pytest.mark.parametrize("address", PUBLIC)
async def test_public_addresses_may_be_sent_to(address: str) -> None:
    await Guard(resolve=Names([address])).check("https://crm.example.com/leadlog?a=b")


@pytest.mark.parametrize("address", INSIDE)
async def test_what_is_not_public_may_not(address: str) -> None:
    for said in ([address], [PUBLIC[0], address]):
        with pytest.raises(UnsafeUrl, match="not public"):
            await Guard(resolve=Names(said)).check("https://crm.example.com/leadlog")


@pytest.mark.parametrize("host", SPELLINGS)
async def test_this_machine_in_any_spelling_may_not(host: str) -> None:
    with pytest.raises(UnsafeUrl, match=r"not public|cannot be found"):
        await Guard().check(f"https://{host}/")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://crm.example.com/", "https"),
        ("ftp://crm.example.com/", "https"),
        ("file:///etc/passwd", "https"),
        ("//crm.example.com/", "https"),
        ("https://", "plain address"),
        ("https://user@crm.example.com/", "no name and no password"),
        ("https://:secret@crm.example.com/", "no name and no password"),
        ("https://crm.example.com:99999/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https://crm.example.com/#part", "plain address"),
        ("https://crm.example.com/a b", "plain address"),
        ("https://crm.example.com/\r\nX: y", "plain address"),
        ("https://例子.中国/", "plain address"),
    ],
)
async def test_what_is_no_plain_https_address_may_not(url: str, why: str) -> None:
    with pytest.raises(UnsafeUrl, match=why):
        await Guard(resolve=Names([PUBLIC[0]])).check(url)


async def test_what_the_operator_allows_may_be_sent_to_and_nothing_beside_it() -> None:
    allowed = ("10.1.2.0/24", "fd12::/16")
    for address, may in (
        ("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("fd12::1", True), ("10.1.3.1", False),
        ("127.0.0.1", False), ("fd13::1", False),
    ):  # fmt: skip
        guard = Guard(allowed, resolve=Names([address]))
        if may:
            await guard.check("https://crm.internal/")
        else:
            with pytest.raises(UnsafeUrl):
                await guard.check("https://crm.internal/")


async def test_a_name_that_means_something_else_a_moment_later_is_not_followed() -> None:
    """DNS rebinding: the address that was checked is the one that is connected to."""
    came = []

    async def inside(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(1)
        writer.close()

    server = await asyncio.start_server(inside, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"http://crm.example.com:{port}/"
    names = Names([PUBLIC[0]], ["127.0.0.1"])
    guard = Guard(http=True, resolve=names)
    await guard.check(url)
    sender = Sender(bytes(32), guard, seconds=5, connections=1)
    hook = Webhook(**{n: getattr(HOOK, n) for n in Webhook.__dataclass_fields__} | {"url": url})
    sent = await sender.send(hook, "1/1", b"{}")
    await sender.close()
    server.close()
    await server.wait_closed()
    assert not sent.taken
    assert "not public" in (sent.error or "")
    assert not came, "nothing in the inside heard of it"
