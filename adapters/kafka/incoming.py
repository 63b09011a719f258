"""Messages of the topic as rows of the log: the way back of what message.py makes of an event."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from adapters.kafka.message import CloudEvent
from adapters.postgres.log_reader import LogRow

Events = list[tuple[int, LogRow]]
Refused = list[tuple[int, str]]

_decode = msgspec.json.Decoder(CloudEvent).decode


def read(messages: Iterable[Any]) -> tuple[Events, Refused]:
    """The events that a consumer's records bring, each with its offset, their bytes as the log has
    them; and the offsets of what is no event, each with a reason that says nothing of its content.
    """
    events: Events = []
    refused: Refused = []
    for message in messages:
        try:
            events.append((message.offset, _row(message)))
        except (ValueError, msgspec.MsgspecError) as error:
            refused.append((message.offset, type(error).__name__))
    return events, refused


def _row(message: Any) -> LogRow:
    event = _decode(message.value or b"")
    stream, _, version = event.id.partition("/")
    if event.time.tzinfo is None or message.key != stream.encode():
        raise ValueError("its time has no zone, or its key is not its stream")
    return event.position, UUID(stream), int(version), event.time, event.type, bytes(event.data)
