"""A file on its way in: counted, hashed and set aside on disk, never whole in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256

from anyio import SpooledTemporaryFile
from starlette.requests import ClientDisconnect

from api.content_types import HEAD_BYTES
from api.problems import Problem

CHUNK_BYTES = 2**18
"""Attachments are stored in chunks of this size: changing it makes old chunks not fit new ones."""
MEMORY_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Received:
    """A whole file: `size` in bytes, `sha256` in hex, `head` = its first bytes."""

    size: int
    sha256: str
    head: bytes
    _file: SpooledTemporaryFile[bytes]

    async def chunks(self) -> AsyncIterator[bytes]:
        """The content, in chunks of CHUNK_BYTES; the last one is shorter."""
        await self._file.seek(0)
        while chunk := await self._file.read(CHUNK_BYTES):
            yield chunk


@asynccontextmanager
async def received(stream: AsyncIterator[bytes], limit: int) -> AsyncIterator[Received]:
    """The file that a stream brings; the problem 413 as soon as it is longer than `limit` bytes."""
    digest, size, head = sha256(), 0, b""
    async with SpooledTemporaryFile[bytes](MEMORY_BYTES) as file:
        try:
            async for part in stream:
                size += len(part)
                if size > limit:
                    raise too_large(limit)
                digest.update(part)
                head = head if len(head) >= HEAD_BYTES else (head + part)[:HEAD_BYTES]
                await file.write(part)
        except ClientDisconnect:
            raise Problem(400, "upload-broken-off", "the file ended before its end") from None
        yield Received(size, digest.hexdigest(), head, file)


def too_large(limit: int) -> Problem:
    """More than an attachment may have."""
    return Problem(413, "attachment-too-large", f"an attachment has at most {limit} bytes")
