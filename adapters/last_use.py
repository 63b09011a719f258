"""When secrets were used last, told to the database in batches and never within a request."""

import asyncio
import logging
import time
from collections import OrderedDict

from adapters.postgres.session import Session
from commands.ports import Unavailable

logger = logging.getLogger("leadlog.access")

FLUSH_SECONDS = 2.0
EVERY_SECONDS = 60.0
MAX_REMEMBERED = 10_000


class LastUse:
    """Notes uses and writes them within two seconds, those of one secret at most once a minute."""

    def __init__(self, session: Session, table: str) -> None:
        self._session = session
        self._update = (
            f"UPDATE {table} SET last_used_at = now() WHERE hash = ANY(%b::bytea[])"
            f" AND (last_used_at IS NULL OR last_used_at <= now() - interval '{EVERY_SECONDS} s')"
            " RETURNING 1"
        )
        self._noted: set[bytes] = set()
        self._told: OrderedDict[bytes, float] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def note(self, digest: bytes) -> None:
        """A secret is being used; returns at once."""
        if time.monotonic() < self._told.get(digest, 0.0) + EVERY_SECONDS:
            return
        if len(self._noted) < MAX_REMEMBERED:
            self._noted.add(digest)
        if self._task is None:
            self._task = asyncio.create_task(self._later())

    async def close(self) -> None:
        """Write what is noted."""
        if task := self._task:
            self._task = None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._flush()

    async def _later(self) -> None:
        await asyncio.sleep(FLUSH_SECONDS)
        self._task = None  # what is noted from here on is for the next one
        await self._flush()

    async def _flush(self) -> None:
        noted, self._noted = self._noted, set()
        if not noted:
            return
        try:
            await self._session.rows(self._update, (list(noted),))
        except Unavailable as error:
            logger.warning("when %d tokens were used last is not noted: %s", len(noted), error)
            return
        now = time.monotonic()
        self._told.update(dict.fromkeys(noted, now))
        while len(self._told) > MAX_REMEMBERED:
            self._told.popitem(last=False)
