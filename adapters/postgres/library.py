"""The log for applications written with the eventsourcing library.

`PERSISTENCE_MODULE=adapters.postgres.library` gives such an application our recorder: its
synchronous `save()` goes through the same group commits as the service's commands, and its retry
after a lost COMMIT reply is recognised by the ledger. Reading needs none of this: a stock
Application reads the log as it is.
"""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

from eventsourcing import postgres
from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
)
from psycopg.conninfo import make_conninfo

from adapters.postgres.event_log import GroupCommitter, StoredAppend
from adapters.postgres.session import Session
from commands.ports import Outcome, Unavailable

SCHEMA, TABLE = "log", "leadlog_events"


class LogRecorder(postgres.PostgresApplicationRecorder):
    """eventsourcing's recorder over the group committer; positions follow commit order.

    Its event loop runs in a thread of its own until `close`.
    """

    def __init__(
        self, datastore: postgres.PostgresDatastore, *, events_table_name: str = TABLE
    ) -> None:
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
        self._session = Session(_dsn(datastore), "leadlog_writer")
        self._committer = GroupCommitter(self._session)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="leadlog-committer", daemon=True
        )
        self._thread.start()

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
        if len({place[:2] for place in events}) < len(events):
            raise IntegrityError("two events for one version of a stream")
        try:
            done = await self._committer.append(StoredAppend(uuid4(), b"", events))
        except Unavailable as error:
            raise OperationalError(str(error)) from error
        if done.outcome is Outcome.CONFLICT:
            raise IntegrityError("this version does not follow the last one of its stream")
        assert done.position is not None
        return list(range(done.position - len(events) + 1, done.position + 1))

    def close(self) -> None:
        """Finish what is under way, then close the connection and end the thread."""
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _finish(self) -> None:
        await self._committer.append.drain()
        await self._session.close()


class Factory(postgres.PostgresFactory):
    """What the library looks for in a persistence module; `Application.close()` closes it."""

    application_recorder_class = LogRecorder

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recorders = ExitStack()

    def application_recorder(self) -> ApplicationRecorder:
        """A recorder that lives as long as this factory."""
        recorder = super().application_recorder()
        assert isinstance(recorder, LogRecorder)
        self._recorders.callback(recorder.close)
        return recorder

    def close(self) -> None:
        """Close the recorders, then the library's connections."""
        self._recorders.close()
        super().close()


def _dsn(datastore: postgres.PostgresDatastore) -> str:
    kwargs = datastore.pool.kwargs
    assert isinstance(kwargs, dict)
    names = ("dbname", "host", "port", "user", "password")
    return make_conninfo(**{name: kwargs[name] for name in names if kwargs[name]})


def _uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)
