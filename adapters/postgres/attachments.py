"""The content of attachments in PostgreSQL, chunk by chunk: none is ever whole in memory.

An upload that breaks off leaves chunks that no event names: nobody sees them, and the same upload,
sent again, goes on from there.

The chunks lie in clear: who reads the database or a backup of it reads the files.
"""

from collections.abc import AsyncIterable, AsyncIterator
from uuid import UUID

from adapters.postgres.session import Session

KEEP = (
    "INSERT INTO log.attachments (attachment, chunk, data) VALUES (%b, %b, %b)"
    " ON CONFLICT (attachment, chunk) DO NOTHING RETURNING chunk"
)
READ = "SELECT data FROM log.attachments WHERE attachment = %b AND chunk = %b"


class AttachmentStore:
    """Implements the API's `Files`; uploads and downloads have a connection each."""

    def __init__(self, dsn: str, *, role: str = "leadlog_writer") -> None:
        self._writes, self._reads = Session(dsn, role), Session(dsn, role)

    async def keep(self, attachment: UUID, chunks: AsyncIterable[bytes]) -> None:
        """Store the content durably; chunks that are there already stay as they are.

        Raises Unavailable when the database does not answer.
        """
        number = 0
        async for data in chunks:
            await self._writes.rows(KEEP, (attachment, number, data))
            number += 1

    async def chunks(self, attachment: UUID) -> AsyncIterator[bytes]:
        """The content, in order; nothing for an unknown attachment."""
        number = 0
        while rows := await self._reads.rows(READ, (attachment, number)):
            yield bytes(rows[0][0])
            number += 1

    async def close(self) -> None:
        """Close the connections."""
        await self._writes.close()
        await self._reads.close()
