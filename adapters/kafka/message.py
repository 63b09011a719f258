"""An event of the log as a message of the topic: CloudEvents 1.0 in structured JSON.

`data` is the stored state byte for byte, so what is personal in it stays sealed. The bytes are made
here and not by the `cloudevents` library, which is 15 times as slow; the tests read every message
with it.
"""

from datetime import UTC, datetime
from typing import Literal

import msgspec

from adapters.postgres.log_reader import LogRow

CONTENT_TYPE = "application/cloudevents+json"
HEADERS = [("content-type", CONTENT_TYPE.encode())]


class CloudEvent(msgspec.Struct, kw_only=True):
    """The attributes in the order they are written. `position`, where the event stands in the log,
    is an extension of ours.
    """

    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    type: str
    subject: str | msgspec.UnsetType = msgspec.UNSET
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str
    position: int
    data: msgspec.Raw


class _Versioned(msgspec.Struct):
    class_version: int = 1


_encode = msgspec.json.Encoder().encode
_version = msgspec.json.Decoder(_Versioned).decode


def key_of(row: LogRow) -> bytes:
    """The message's key: the stream's id, so that its events stay in order."""
    return str(row[1]).encode()


def value_of(row: LogRow, source: str, code: str = "") -> bytes:
    """The message. `source` names the log, `code` the lead that the event is of, if it has one."""
    position, stream, version, recorded_at, topic, state = row
    return _encode(
        CloudEvent(
            id=f"{stream}/{version}",
            source=source,
            type=topic,
            time=recorded_at.astimezone(UTC),
            dataschema=schema_id(topic, _version(state).class_version),
            position=position,
            data=msgspec.Raw(state),
            subject=code or msgspec.UNSET,
        )
    )


def schema_id(topic: str, version: int) -> str:
    """The URI of the JSON Schema of an event's version."""
    return f"urn:leadlog:event:{topic}:{version}"
