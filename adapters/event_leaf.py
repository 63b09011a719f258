"""An event as a leaf of the Merkle tree: all that its row holds, in one layout of bytes.

    position            8 bytes  big-endian, signed
    stream             16 bytes  the UUID
    version             8 bytes  big-endian, signed
    recorded_at         8 bytes  big-endian, signed: microseconds since 1970-01-01T00:00:00Z
    length of topic     4 bytes  big-endian
    topic                        UTF-8
    state                        the stored bytes, to the end

The event at position n is leaf n - 1 (docs/reference/proof.md; in SQL `audit.leaf`).
"""

import struct
from typing import NamedTuple
from uuid import UUID

from adapters.merkle import leaf_hash

POSTGRES_EPOCH = 946_684_800_000_000
"""Microseconds from 1970 to 2000, where PostgreSQL counts from."""
_HEAD = struct.Struct(">q16sqqI")
_MOST = 2**63


class StoredEvent(NamedTuple):
    """A row of the log. `recorded_us` are microseconds since 1970, UTC."""

    position: int
    stream: UUID
    version: int
    recorded_us: int
    topic: str
    state: bytes

    def leaf(self) -> bytes:
        """The bytes of its leaf."""
        topic = self.topic.encode()
        head = (self.position, self.stream.bytes, self.version, self.recorded_us, len(topic))
        return _HEAD.pack(*head) + topic + self.state

    def hash(self) -> bytes:
        """The hash of its leaf."""
        return leaf_hash(self.leaf())


def recorded_us(sent: bytes) -> int:
    """Microseconds since 1970 of what PostgreSQL's `timestamptz_send` gives. Also for what no row
    of ours holds (infinity), which comes out as some number or other.
    """
    return (int.from_bytes(sent, "big", signed=True) + POSTGRES_EPOCH + _MOST) % (2 * _MOST) - _MOST
