"""The log for applications written with the eventsourcing library.

`PERSISTENCE_MODULE=adapters.postgres.library` gives such an application our recorder: its
synchronous `save()` goes through the same group commits as the service's commands, and its retry
after a lost COMMIT reply is recognised by the ledger. Reading needs none of this: a stock
Application reads the log as it is.
"""

import asyncio
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.persistence import (
    IntegrityError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
)
from eventsourcing.postgres import (
    PostgresApplicationRecorder,
    PostgresDatastore,
    PostgresFactory,
)
from psycopg.conninfo import make_conninfo

from adapters.postgres.event_log import GroupCommitter, StoredAppend
from adapters.postgres.session import Session
from commands.ports import Outcome, Unavailable

SCHEMA, TABLE = "log", "leadlog_events"


class LogRecorder(PostgresApplicationRecorder):
    """eventsourcing's recorder over the group committer; positions follow commit order."""

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = TABLE) -> None:
        super().__init__(datastore, events_table_name=events_table_name)
        if datastore.enable_db_functions:
            raise ProgrammingError(
                "POSTGRES_ENABLE_DB_FUNCTIONS drops the append lock: readers miss events. Unset it"
            )
        if (datastore.schema, events_table_name) != (SCHEMA, TABLE):
            raise ProgrammingError(
                f"the log is {SCHEMA}.{TABLE}: set POSTGRES_SCHEMA={SCHEMA}"
                " and name the application leadlog"
            )

    def create_table(self) -> None:
        """The schema comes from `leadlog migrate`, under a lock."""
        self.datastore.register_type_adapters()

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Append all or nothing; returns their positions. Raises IntegrityError on a conflict."""
        if not stored_events:
            return []
        return asyncio.run_coroutine_threadsafe(self.append(stored_events), self._loop).result()

    async def append(self, stored_events: Sequence[StoredEvent]) -> Sequence[int]:
        """The same, awaitable in the recorder's own event loop."""
        events = [
            (_uuid(e.originator_id), e.originator_version, e.topic, e.state) for e in stored_events
        ]
        try:
            done = await self._committer.append(StoredAppend(uuid4(), b"", events))
        except Unavailable as error:
            raise OperationalError(str(error)) from error
        if done.outcome is Outcome.CONFLICT:
            raise IntegrityError("another event stands at this version of the stream")
        assert done.position is not None
        return range(done.position - len(events) + 1, done.position + 1)

    @cached_property
    def _committer(self) -> GroupCommitter:
        kwargs = self.datastore.pool.kwargs
        assert isinstance(kwargs, dict)
        names = ("dbname", "host", "port", "user", "password")
        dsn = make_conninfo(**{name: kwargs[name] for name in names if kwargs[name]})
        return GroupCommitter(Session(dsn, "leadlog_writer"))

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="leadlog-committer", daemon=True).start()
        return loop


class Factory(PostgresFactory):
    """What the library looks for in a persistence module."""

    application_recorder_class = LogRecorder


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)
