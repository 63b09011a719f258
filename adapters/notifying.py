"""The duty `notify` of a worker: the process that sends messages, and the channels it may use."""

import threading
from collections.abc import Mapping
from datetime import timedelta

from adapters.company import Company
from adapters.mail import Mail
from adapters.measures import MESSAGES
from adapters.message_texts import MessageTexts
from adapters.notification_settings import chat_bots, sender_address, smtp_server
from adapters.postgres import processes
from adapters.postgres.processes import Duty
from adapters.settings import Settings
from adapters.write_side import WriteSide
from aggregates.directory.state import Person
from aggregates.notification.channels import CHAT, EMAIL
from commands.notifications import Channel, Message, NotTaken, Text
from processes.notify import NAME, Notify, Patience


class Counted:
    """A channel of which it is counted what it took."""

    def __init__(self, name: str, channel: Channel) -> None:
        self._name, self._channel = name, channel
        self.private = channel.private

    def reaches(self, person: Person) -> bool:
        """Whether there is an address of theirs."""
        return self._channel.reaches(person)

    async def send(self, message: Message, person: Person, text: Text) -> str | None:
        """Hand a message over; its Message-ID, if it has one."""
        try:
            message_id = await self._channel.send(message, person, text)
        except NotTaken:
            MESSAGES.add(self._name, "refused")
            raise
        MESSAGES.add(self._name, "sent")
        return message_id


def run_forever(dsn: str, company: Company, settings: Settings, stop: threading.Event) -> None:
    """Send messages until `stop` is set, if there is a way to do so."""
    if ways := channels(settings):
        processes.run_forever(dsn, company, stop, {NAME: duty(settings, ways)})
    else:
        stop.wait()


def duty(settings: Settings, ways: Mapping[str, Channel]) -> Duty:
    """The process that sends messages by these ways."""

    def make(own: WriteSide, begin_at: int) -> Notify:
        return Notify(
            own.log,
            own.outbox,
            own.registry,
            own.clock,
            own.zone,
            ways,
            MessageTexts(own.zone),
            Patience(
                attempts=settings.message_attempts,
                first_pause=settings.message_pause_seconds,
                news_for=timedelta(hours=settings.message_hours),
            ),
            begin_at=begin_at,
        )

    return Duty(("notifications", "tasks"), make)


def channels(settings: Settings) -> Mapping[str, Channel]:
    """The ways outside the product that there are. StartupError where one cannot be."""
    found: dict[str, Channel] = {}
    if settings.smtp and settings.smtp_sender:
        server = smtp_server(settings.smtp.get_secret_value())
        found[EMAIL] = Counted(EMAIL, Mail(server, sender_address(settings.smtp_sender)))
    if settings.chat:
        from adapters.chat import Chat  # noqa: PLC0415 - slow to import

        found[CHAT] = Counted(CHAT, Chat(chat_bots(settings.chat.get_secret_value())))
    return found
