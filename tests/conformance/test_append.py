"""The log is append-only, and no reader of it misses an event (P3, T9)."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import monotonic, sleep
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from adapters.postgres.event_log import PostgresEventLog, StoredAppend
from aggregates.event import Meta
from aggregates.lead.events import StageChanged
from aggregates.lead.evolve import evolve
from aggregates.lead.state import Lead
from commands.loop import CommandLoop, Contended, Intent
from commands.ports import Appended, NewEvents, Outcome
from tests.conformance.examples import EXAMPLES
from tests.conformance.histories import Entry, append
from tests.conformance.test_library import connection
from tests.size import size

SECONDS = size(3, 600)
WRITERS = 16
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0"


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on asyncio."""
    return "asyncio"


@dataclass
class Tail:
    """A reader that follows a log as every projection does: what lies behind the last it saw."""

    dsn: str
    table: str = "log.leadlog_events"
    seen: list[int] = field(default_factory=list)

    def read(self) -> int:
        """Take in what is new; returns how much it was."""
        with psycopg.connect(self.dsn) as conn:
            return self._read(conn)

    def follow(self, until: threading.Event) -> None:
        """Go on reading, a little at a time, until told to stop and nothing is left."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            ended = False
            while self._read(conn, limit=50) or not ended:
                ended = until.is_set()  # asked ahead of the last look

    def missed(self) -> list[int]:
        """The positions of the log that the reader did not see."""
        with psycopg.connect(self.dsn) as conn:
            rows = conn.execute(f"SELECT notification_id FROM {self.table}")
            return sorted({position for (position,) in rows} - set(self.seen))

    def _read(self, conn: psycopg.Connection[Any], limit: int = 1000) -> int:
        last = self.seen[-1] if self.seen else 0
        rows = conn.execute(
            f"SELECT notification_id FROM {self.table} WHERE notification_id > %s"
            " ORDER BY notification_id LIMIT %s",
            [last, limit],
        ).fetchall()
        self.seen += [position for (position,) in rows]
        return len(rows)


def test_sixteen_writers_on_one_lead_and_a_reader_that_misses_nothing(dsn: str) -> None:
    """T9: positions and versions are contiguous, the tailing reader saw every one, in order."""
    tail, done, lead = Tail(dsn), threading.Event(), uuid4()
    reader = threading.Thread(target=tail.follow, args=(done,))
    reader.start()
    try:
        written = asyncio.run(write(dsn, lead, monotonic() + SECONDS))
    finally:
        done.set()
        reader.join()
    assert tail.missed() == []
    assert tail.seen == list(range(1, written + 1))
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(
            "SELECT originator_version, recorded_at FROM log.leadlog_events"
            " ORDER BY notification_id"
        ).fetchall()
    assert [version for version, _ in rows] == list(range(1, written + 1))
    assert [at for _, at in rows] == sorted(at for _, at in rows)
    assert written > WRITERS


async def write(dsn: str, lead: UUID, until: float) -> int:
    """Sixteen writers, each with connections and a cache of its own; returns how many events."""
    logs = [PostgresEventLog(dsn) for _ in range(WRITERS)]
    try:
        writers = [_write(log, nr, lead, until) for nr, log in enumerate(logs)]
        counts = await asyncio.gather(*writers)
    finally:
        for log in logs:
            await log.close()
    return sum(counts)


async def _write(log: PostgresEventLog, nr: int, lead: UUID, until: float) -> int:
    loop: CommandLoop[Lead] = CommandLoop(log, Lead, evolve)
    written = 0
    while monotonic() < until:
        command: Intent[Lead] = Intent(
            lead, lambda *_: [StageChanged(stage=f"{nr}")], Meta(f"user:{nr}", uuid4()), b""
        )
        try:
            await loop.run(command)
        except Contended:
            continue
        written += 1
    return written


def overlapping(dsn: str, slow: str, quick: Callable[[], object], tail: Tail) -> list[int]:
    """Two appends at once: `slow` commits only after `quick` is through or has to wait for it.

    Returns what a reader misses that looks in between and at the end.
    """
    thread = threading.Thread(target=quick)
    with psycopg.connect(dsn) as conn, psycopg.connect(dsn, autocommit=True) as watch:
        conn.execute(slow)
        thread.start()
        while thread.is_alive() and watch.execute(BLOCKED).fetchall() == [(0,)]:
            sleep(0.005)
        tail.read()
    thread.join()
    tail.read()
    return tail.missed()


APPENDED = """
SELECT log.append(ARRAY[gen_random_uuid()], ARRAY[''::bytea], ARRAY[1], ARRAY[gen_random_uuid()],
                  ARRAY[1], ARRAY['topic'], ARRAY['{}'::bytea])
"""


def test_appends_that_overlap_are_seen_in_order(dsn: str) -> None:
    """P3: the later one waits, so nobody sees a position before those below it."""
    quick = partial(append, dsn, [Entry(uuid4(), 1, EXAMPLES[0])])
    tail = Tail(dsn)
    assert overlapping(dsn, APPENDED, quick, tail) == []
    assert tail.seen == [1, 2]


LOCKED = """
LOCK TABLE scratch_events IN EXCLUSIVE MODE;
INSERT INTO scratch_events VALUES (gen_random_uuid(), 1, 'topic', '{}')
"""
UNLOCKED = """
SELECT es_insert_events_uuid(ARRAY[(gen_random_uuid(), 1, 'topic', '{}')::stored_event_uuid])
"""


@pytest.mark.parametrize(
    ("slow", "missed"), [(UNLOCKED, [1]), (LOCKED, [])], ids=["unlocked", "locked"]
)
def test_the_same_reader_catches_a_log_without_the_lock(
    dsn: str, slow: str, missed: list[int]
) -> None:
    """Negative control: the library's db functions drop the lock that its default has."""
    unlocked = slow is UNLOCKED
    with PostgresDatastore(**connection(dsn), enable_db_functions=unlocked) as datastore:
        theirs = PostgresApplicationRecorder(datastore, events_table_name="scratch_events")
        theirs.create_table()
        quick = partial(theirs.insert_events, [StoredEvent(uuid4(), 1, "topic", b"{}")])
        assert overlapping(dsn, slow, quick, Tail(dsn, "scratch_events")) == missed


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("events", [1, 3])
@pytest.mark.anyio
async def test_versions_have_no_holes(dsn: str, after: int, events: int) -> None:
    """P3: what does not stand right behind the last event is a conflict, too high or too low."""
    log, lead = PostgresEventLog(dsn), uuid4()
    await log.append(_new(lead, 0, 2))
    done = await log.append(_new(lead, after, events))
    assert done.outcome is (Outcome.APPENDED if after == 2 else Outcome.CONFLICT)
    assert len(await log.load(lead)) == (2 + events if after == 2 else 2)
    await log.close()


@pytest.mark.anyio
async def test_a_command_behind_a_refused_one_is_refused(dsn: str) -> None:
    """P3: also within one call, where the first of three on a stream meets a newer claim."""
    log, lead, mark = PostgresEventLog(dsn), uuid4(), b"m" * 16
    await log.append(_new(uuid4(), 0, 1, {mark: 0}))
    places = [(lead, version, "lead.reopened", b"{}") for version in (1, 2, 3)]
    batch = [StoredAppend(uuid4(), b"", [place]) for place in places]
    batch[0] = batch[0]._replace(marks={mark: 0})
    done = await log._committer._commit(batch)
    assert done == [Appended(Outcome.CONFLICT)] * 3
    await log.close()


@pytest.mark.anyio
async def test_commands_with_and_without_events_in_one_commit(dsn: str) -> None:
    """P3: positions go to events alone; a command without any has none."""
    log, leads = PostgresEventLog(dsn), [uuid4() for _ in range(5)]
    for lead in leads:
        await log.append(_new(lead, 0, 1))
    sizes = (0, 2, 0, 1, 3)
    done = await asyncio.gather(*map(log.append, map(_new, leads, [1] * 5, sizes)))
    assert [answer.outcome for answer in done] == [Outcome.APPENDED] * 5
    assert [answer.position for answer in done] == [None, 7, None, 8, 11]
    assert [len(await log.load(lead)) for lead in leads] == [1, 3, 1, 2, 4]
    await log.close()


def _new(
    lead: UUID, after: int, events: int, marks: Mapping[bytes, int] | None = None
) -> NewEvents:
    meta = Meta("user:test", uuid4())
    return NewEvents(lead, after, [StageChanged(stage="x")] * events, meta, b"", marks or {})


OTHERS = (
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
SCANS = "SELECT relname, idx_scan, seq_scan FROM pg_stat_user_tables WHERE schemaname = 'log'"
KEYED = {"leadlog_events", "ledger", "marks"}


def test_the_write_path_finds_everything_by_index(dsn: str) -> None:
    """S11: a plan that was made while the log was empty must not read all of it ever after."""
    asyncio.run(_every_statement(dsn, rounds=20))
    with psycopg.connect(dsn, autocommit=True) as conn:
        while conn.execute(OTHERS).fetchall():  # a backend counts its scans when it ends
            sleep(0.005)
        scans = conn.execute(SCANS).fetchall()
    assert {table for table, by_index, _ in scans if by_index} >= KEYED
    assert {table for table, _, whole in scans if whole} & KEYED == set()


async def _every_statement(dsn: str, rounds: int) -> None:
    log, stream, mark = PostgresEventLog(dsn), uuid4(), b"m" * 16
    for version in range(rounds):
        known = (await log.holders([mark]))[mark].position
        new = _new(stream, version, 1, {mark: known})
        assert (await log.append(new)).outcome is Outcome.APPENDED
        assert len(await log.load(stream)) == version + 1
        assert await log.find(new.meta.command_id)
    await log.close()


CHANGES = [
    "UPDATE log.leadlog_events SET topic = ''",
    "DELETE FROM log.leadlog_events WHERE false",
    "TRUNCATE log.leadlog_events",
    "UPDATE log.ledger SET fingerprint = ''",
    "DELETE FROM log.ledger WHERE false",
    "TRUNCATE log.ledger CASCADE",
]
"""One that would hit no row is refused as well: what counts is the statement."""


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("role", ["its owner", "leadlog_writer", "leadlog_projector"])
def test_what_is_recorded_stays(dsn: str, role: str, change: str) -> None:
    """P7: refused by a trigger for the owner, by the grants for the service."""
    append(dsn, [Entry(uuid4(), 1, event) for event in EXAMPLES])
    why = "append-only" if role == "its owner" else "permission denied"
    with psycopg.connect(dsn, autocommit=True) as conn:
        if role != "its owner":
            conn.execute(f"SET ROLE {role}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match=why):
            conn.execute(change)
        conn.execute("RESET ROLE")
        for table in ("leadlog_events", "ledger"):
            rows = conn.execute(f"SELECT count(*) FROM log.{table}").fetchall()
            assert rows == [(len(EXAMPLES),)]
