"""The content of attachments in PostgreSQL, chunk by chunk: none is ever whole in memory.

An upload that breaks off leaves chunks that no event names: nobody sees them, and the same upload,
sent again, goes on from there.

Each chunk is sealed with the key of its lead, at its place; an erasure deletes the chunks and
destroys the key.
"""

from collections.abc import AsyncIterable, AsyncIterator
from uuid import UUID

from adapters.keyring import LeadKey, LostKeyError, keyring
from adapters.postgres.session import Session
from aggregates.lead.guards import Erased

# A lead without anything personal may have no key yet; one that was erased gets none.
MAKE_KEY = "SELECT privacy.make_key(%b, %b)"
KEY = "SELECT wrapped FROM privacy.keys WHERE stream = %b"
# Of a lead without a key: whether it was erased, whether it had one.
FATE = (
    "SELECT EXISTS (SELECT FROM privacy.erasures WHERE stream = %(lead)s),"
    " privacy.had_key(%(lead)s)"
)
KEEP = (
    "INSERT INTO log.attachments (attachment, chunk, data) VALUES (%b, %b, %b)"
    " ON CONFLICT (attachment, chunk) DO NOTHING RETURNING chunk"
)
READ = "SELECT data FROM log.attachments WHERE attachment = %b AND chunk = %b"


class AttachmentStore:
    """Implements the API's `Files`; uploads and downloads have a connection each."""

    def __init__(self, dsn: str, *, role: str = "leadlog_writer") -> None:
        self._writes, self._reads = Session(dsn, role), Session(dsn, role)

    async def keep(self, lead: UUID, attachment: UUID, chunks: AsyncIterable[bytes]) -> None:
        """Store the content durably; chunks that are there already stay as they are.

        Raises Unavailable when the database does not answer, Refusal when the lead was erased,
        LostKeyError.
        """
        key = await self._key(self._writes, lead) or await self._new_key(lead)
        number = 0
        async for data in chunks:
            sealed = key.seal(_place(attachment, number), data)
            await self._writes.rows(KEEP, (attachment, number, sealed))
            number += 1

    async def chunks(self, lead: UUID, attachment: UUID) -> AsyncIterator[bytes]:
        """The content, in order; nothing for an unknown attachment, or of an erased lead. Raises
        LostKeyError.
        """
        key = await self._key(self._reads, lead)
        if key is None:
            await self._is_erased(self._reads, lead)
        number = 0
        while key and (rows := await self._reads.rows(READ, (attachment, number))):
            yield key.open(_place(attachment, number), bytes(rows[0][0]))
            number += 1

    async def close(self) -> None:
        """Close the connections."""
        await self._writes.close()
        await self._reads.close()

    async def _key(self, session: Session, lead: UUID) -> LeadKey | None:
        rows = await session.rows(KEY, (lead,))
        return keyring().unwrap(lead, rows[0][0]) if rows else None

    async def _new_key(self, lead: UUID) -> LeadKey:
        _, wrapped = keyring().make(lead)
        await self._writes.rows(MAKE_KEY, (lead, wrapped))
        if key := await self._key(self._writes, lead):
            return key
        if await self._is_erased(self._writes, lead):
            raise Erased
        raise AssertionError(f"a key of {lead} was neither found nor made")

    async def _is_erased(self, session: Session, lead: UUID) -> bool:
        """Whether a lead without a key was erased. Raises LostKeyError when it has lost it."""
        ((erased, had_key),) = await session.rows(FATE, {"lead": lead})
        if had_key and not erased:
            raise LostKeyError(lead)
        return bool(erased)


def _place(attachment: UUID, chunk: int) -> str:
    return f"attachment {attachment}/{chunk}"
