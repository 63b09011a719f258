"""E-mail by SMTP: one connection for a message, a few at once, and never longer than seconds.

A message has one Message-ID, however often it is sent (decision 20). What a server says is told
apart by its code alone: its words may hold addresses.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from uuid import UUID

import aiosmtplib

from adapters.notification_settings import SmtpServer
from aggregates.directory.state import Person
from commands.notifications import Message, NotTaken, Text

CONNECTIONS = 4
ANSWER_SECONDS, LONGEST_SECONDS = 10.0, 20.0
"""For each answer of the server, and for a message from end to end."""
CLOSING = 421
"""The server says so to everybody."""


class Mail:
    """The e-mail `Channel`."""

    private = True

    def __init__(self, server: SmtpServer, sender: Address) -> None:
        self._server, self._sender = server, sender
        self._connections = asyncio.Semaphore(CONNECTIONS)

    def reaches(self, person: Person) -> bool:
        """Whether an address is known."""
        return bool(person.email)

    async def send(self, message: Message, person: Person, text: Text) -> str | None:
        """Hand a message to the server; its Message-ID."""
        assert person.email
        letter = self.letter(message, person.email, text)
        async with self._connections:
            with _answers():
                async with asyncio.timeout(LONGEST_SECONDS):
                    await self._send(letter, person.email)
        return message_id(message.id, self._sender.domain)

    def letter(self, message: Message, to: str, text: Text) -> EmailMessage:
        """The message as an e-mail, dated when its cause happened."""
        letter = EmailMessage(policy=SMTP)
        letter["Message-ID"] = message_id(message.id, self._sender.domain)
        letter["From"] = self._sender
        letter["To"] = Address(addr_spec=to)
        letter["Subject"] = _unencoded(text.subject)
        letter["Date"] = format_datetime(message.created_at or message.recorded_at)
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(text.body + text.footer, cte="base64")
        return letter

    async def _send(self, letter: EmailMessage, to: str) -> None:
        own = self._server
        await aiosmtplib.send(
            letter,
            sender=self._sender.addr_spec,
            recipients=[to],
            hostname=own.host,
            port=own.port,
            username=own.username,
            password=own.password,
            use_tls=own.tls,
            start_tls=own.starttls,
            timeout=ANSWER_SECONDS,
        )


def message_id(message: UUID, domain: str) -> str:
    """The Message-ID of a message as e-mail."""
    return f"<{message}.email@{domain}>"


def _unencoded(text: str) -> str:
    """The text so that nothing in it is taken for an encoded word, which could hold line ends.

    >>> _unencoded("=?utf-8?q?=0D=0ABcc=3A_x?=")
    '= ?utf-8?q?=0D=0ABcc=3A_x?='
    """
    return text.replace("=?", "= ?")


@contextmanager
def _answers() -> Iterator[None]:
    """What went wrong, as NotTaken: whose fault it is, and whether another time may do."""
    try:
        yield
    except aiosmtplib.SMTPRecipientsRefused as error:
        code = error.recipients[0].code
        raise _refused(code) from None
    except aiosmtplib.SMTPAuthenticationError as error:
        raise NotTaken(f"login refused {error.code}", everybodys=True) from None
    except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPConnectResponseError) as error:
        raise NotTaken(f"refused {error.code}", everybodys=True) from None
    except aiosmtplib.SMTPResponseException as error:
        raise _refused(error.code) from None
    except (aiosmtplib.SMTPReadTimeoutError, aiosmtplib.SMTPServerDisconnected):
        raise NotTaken("broken off") from None
    except TimeoutError:
        raise NotTaken("too slow") from None
    except (aiosmtplib.SMTPException, OSError):
        raise NotTaken("not reachable", everybodys=True) from None


def _refused(code: int) -> NotTaken:
    return NotTaken(f"refused {code}", for_good=code >= 500, everybodys=code == CLOSING)
