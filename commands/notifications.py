"""Messages to people: what the process that sends them needs from the world, and commands on them.

What a message is about stands in the read model `notifications`; its text is made when it is sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from aggregates.directory.state import Person
from aggregates.event import Meta
from aggregates.notification import state
from aggregates.notification.state import Notification
from commands.directory import Request
from commands.loop import CommandLoop, Decide, Intent, Reply, by_state
from commands.ports import Clock, EventLog


@dataclass(frozen=True, slots=True)
class Message:
    """A message to `recipient`; the fields are those of projections/messages.py.

    `settled`: the channels on which it was sent or given up. `retried`: the one channel on which it
    is to be tried again, and `retried_at` since when.
    """

    id: UUID
    kind: str
    recipient: str
    position: int
    recorded_at: datetime
    created_at: datetime | None = None
    code: str | None = None
    customer: str | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None
    subject: UUID | None = None
    settled: Sequence[str] = ()
    retried: str | None = None
    retried_at: datetime | None = None


class Standing(NamedTuple):
    """A lead as it is now. `over`: merged, invalid or erased. `tasks`: whose the open ones are, by
    name.
    """

    owner: str | None
    team: str | None
    entered_by: str | None
    paused: bool
    over: bool
    tasks: Mapping[str, str | None]


class Text(NamedTuple):
    """What a person reads; the subject is one line. `footer` is for letters."""

    subject: str
    body: str
    footer: str = ""


class Attempted(NamedTuple):
    """How often a message was tried on a channel in vain, and in how many seconds it may again."""

    attempts: int
    pause: float


class NotTaken(Exception):  # noqa: N818 - an answer, not a defect
    """A channel did not take a message. `error` holds nothing that is secret or personal.

    `for_good`: it will not take it another time either. `everybodys`: nor any other one, for now.
    """

    def __init__(self, error: str, *, for_good: bool = False, everybodys: bool = False) -> None:
        super().__init__(error)
        self.error, self.for_good, self.everybodys = error, for_good, everybodys


class Channel(Protocol):
    """A way to a person outside the product. `private`: nobody else reads what is sent there."""

    private: bool

    def reaches(self, person: Person) -> bool:
        """Whether there is an address of theirs."""
        ...

    async def send(self, message: Message, person: Person, text: Text) -> str | None:
        """Hand a message over; its Message-ID, if it has one. Raises NotTaken, within seconds."""
        ...


class Texts(Protocol):
    """Makes the texts of messages."""

    def __call__(self, message: Message, language: str) -> Text:
        """The text in a language of `aggregates.notification.channels`."""
        ...


class Outbox(Protocol):
    """The read model of messages, milliseconds behind the log, and what was tried in vain.

    The latter is no truth: where it is lost, messages are tried as if for the first time.
    """

    async def begin(self, since: datetime) -> int:
        """A position of the log behind which everything is that was recorded since an instant."""
        ...

    async def new(self, after: tuple[int, UUID], limit: int) -> tuple[int, Sequence[Message]]:
        """The position reflected and messages behind a position and id, in the order of the log."""
        ...

    async def retried(self, after: int, limit: int) -> tuple[int, Sequence[tuple[int, Message]]]:
        """The position reflected and messages that somebody wants tried again, each with the
        position of that wish: those behind one, in the order of the log.
        """
        ...

    async def standings(self, leads: Sequence[UUID]) -> tuple[int, Mapping[UUID, Standing]]:
        """The position reflected by another read model, and these leads as they were by then."""
        ...

    async def attempted(self, messages: Sequence[UUID]) -> Mapping[tuple[UUID, str], Attempted]:
        """What is known of earlier attempts, by message and channel."""
        ...

    async def note(self, message: UUID, channel: str, tried: Attempted) -> None:
        """Remember an attempt in vain."""
        ...

    async def forget(self, message: UUID, channel: str) -> None:
        """There is nothing more to try."""
        ...


class NotificationCommands:
    """What people do with messages: read them, or have them tried again."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._loop: CommandLoop[Notification] = CommandLoop(log, Notification, state.evolve)
        self._clock = clock

    async def read(self, message: UUID, recipient: str, request: Request) -> Reply[Notification]:
        """The recipient has seen it; doing so twice changes nothing."""
        decide = partial(state.read, now=self._clock.now(), recipient=recipient)
        return await self._run(message, by_state(decide), request, "read")

    async def retry(
        self, message: UUID, recipient: str, channel: str, request: Request
    ) -> Reply[Notification]:
        """Try a message again that was given up; nothing for any other."""
        decide = partial(state.retry, now=self._clock.now(), recipient=recipient, channel=channel)
        return await self._run(message, by_state(decide), request, f"retry {channel}")

    async def _run(
        self, message: UUID, decide: Decide[Notification], request: Request, said: str
    ) -> Reply[Notification]:
        caller = request.caller
        intent = Intent(
            stream=message,
            decide=decide,
            meta=Meta(
                caller.actor, request.command_id(), caller.correlation_id, caller.causation_id
            ),
            fingerprint=f"{said} {message}".encode(),
            expected_version=request.expected_version,
            repeatable=request.key is not None,
        )
        return await self._loop.run(intent)
