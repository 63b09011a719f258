"""Sends messages of webhooks as Standard Webhooks has it: id, time and signature in headers.

What a receiver answers is its status. Its body is read to the end where that is near, so that the
connection can be used again, and otherwise left; it is shown to nobody.
"""

import asyncio
import base64
import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import httpcore
import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from standardwebhooks.webhooks import Webhook as Signer

from adapters.company import Company
from adapters.settings import Settings
from adapters.webhook_guard import Guard, PinnedNetwork
from commands.webhooks import Sent, UnsafeUrl, Webhook

SECRET_BYTES = 32
MOST_OF_A_BODY = 2**16
BODY_SECONDS = 1.0
IDLE_SECONDS = 30.0


class Sender:
    """Implements `WebhookSender`. `seconds`: how long a receiver may take for everything.

    Secrets are derived from the ledger key (HKDF, RFC 5869) and the webhook's id: they are stored
    nowhere, and a rotation of master keys leaves them as they are.
    """

    def __init__(
        self, ledger_key: bytes, guard: Guard, *, seconds: float, connections: int
    ) -> None:
        self._ledger_key, self._guard, self._seconds = ledger_key, guard, seconds
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=connections,
            keepalive_expiry=IDLE_SECONDS,
            network_backend=PinnedNetwork(guard),
        )

    async def check(self, url: str) -> None:
        """Raise UnsafeUrl for an address that events must not go to."""
        await self._guard.check(url)

    def secret(self, webhook: Webhook) -> str:
        """The secret in use, as its owner needs it."""
        return self._secret(webhook, webhook.secret)

    async def test(self, webhook: Webhook) -> Sent:
        """Send a message that says nothing."""
        now = datetime.now(UTC)
        data = {"type": "webhook.test", "timestamp": now, "data": {"webhook": webhook.id}}
        return await self.send(webhook, f"test/{uuid4()}", msgspec.json.encode(data))

    async def send(self, webhook: Webhook, message: str, body: bytes) -> Sent:
        """Send a message of this id; never raises for what the receiver does."""
        try:
            async with asyncio.timeout(self._seconds):
                return Sent(await self._status(webhook, message, body))
        except UnsafeUrl as error:
            return Sent(None, error.message)
        except (TimeoutError, httpcore.TimeoutException):
            return Sent(None, f"took longer than {self._seconds:g} s")
        except httpcore.ConnectError as error:
            untrusted = isinstance(error.__context__, ssl.SSLError)
            return Sent(None, "has no valid certificate" if untrusted else "is not reachable")
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError):
            return Sent(None, "broke off, or does not speak HTTP")

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _status(self, webhook: Webhook, message: str, body: bytes) -> int:
        headers = self._headers(webhook, message, body)
        async with self._pool.stream("POST", webhook.url, headers=headers, content=body) as answer:
            with suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError):
                async with asyncio.timeout(BODY_SECONDS):
                    await _read_some(answer)
            return int(answer.status)

    def _headers(self, webhook: Webhook, message: str, body: bytes) -> Sequence[tuple[str, str]]:
        now = datetime.now(UTC)
        text = body.decode()
        signed = (Signer(secret).sign(message, now, text) for secret in self._secrets(webhook, now))
        return (
            ("content-type", "application/json"),
            ("user-agent", "leadlog"),
            ("webhook-id", message),
            ("webhook-timestamp", str(int(now.timestamp()))),
            ("webhook-signature", " ".join(signed)),
        )

    def _secrets(self, webhook: Webhook, now: datetime) -> Sequence[str]:
        """The one in use, and the one before it while it counts."""
        numbers = [webhook.secret]
        if webhook.old_secret_until and now < webhook.old_secret_until:
            numbers.append(webhook.secret - 1)
        return [self._secret(webhook, number) for number in numbers]

    def _secret(self, webhook: Webhook, number: int) -> str:
        info = f"webhook secret {webhook.id}/{number}".encode()
        key = HKDF(SHA256(), SECRET_BYTES, salt=None, info=info).derive(self._ledger_key)
        return "whsec_" + base64.b64encode(key).decode()


def sender_by(settings: Settings, company: Company) -> Sender:
    """The sender by the settings, with the company's key."""
    guard = Guard(settings.webhook_allowed, http=settings.webhook_http)
    return Sender(
        company.ledger_key,
        guard,
        seconds=settings.webhook_seconds,
        connections=settings.webhooks,
    )


async def _read_some(answer: httpcore.Response) -> None:
    read = 0
    async for piece in answer.aiter_stream():
        read += len(piece)
        if read > MOST_OF_A_BODY:
            return
