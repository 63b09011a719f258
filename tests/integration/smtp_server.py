"""A mail server as a process of its own, that behaves as it is told.

`python -m tests.integration.smtp_server PORT BEHAVIOUR FILE` appends what it took to FILE, a JSON
object a line. Behaviours: ok · slow (no answer for a minute) · later (451 to every recipient) ·
drops-first (takes each message, and breaks off before it says so, the first time).
Recipients whose address begins with `gone` are refused for good (550), those with `tarpit` are
never answered.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Mapping
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

LONG = 60.0


class Handler:
    """What the server does with recipients and messages."""

    def __init__(self, behaviour: str, file: str) -> None:
        self._behaviour, self._file = behaviour, Path(file)
        self._seen: Counter[str] = Counter()

    def _note(self, taken: Mapping[str, Any]) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(taken, ensure_ascii=False) + "\n")

    async def handle_RCPT(
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        """Who is let in."""
        if self._behaviour == "slow" or address.startswith("tarpit"):
            await asyncio.sleep(LONG)
        if address.startswith("gone"):
            return "550 5.1.1 nobody of this name lives here: " + address
        if self._behaviour == "later":
            return "451 4.7.1 greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:
        """Take a message, durably, then say so, or not."""
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=default)
        body = letter.get_body()
        assert body is not None
        taken = {
            "to": envelope.rcpt_tos[0],
            "id": letter["Message-ID"],
            "subject": letter["Subject"],
            "headers": letter.keys(),
            "body": body.get_content(),
        }
        self._note(taken)
        self._seen[letter["Message-ID"]] += 1
        if self._behaviour == "drops-first" and self._seen[letter["Message-ID"]] == 1:
            server.transport.abort()
        return "250 OK"


async def main(port: int, behaviour: str, file: str) -> None:
    """Serve until the process is killed."""
    handler = Handler(behaviour, file)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, enable_SMTPUTF8=True), "127.0.0.1", port
    )
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
