"""What a worker that lost its partition, or shares a stream, can do to a database: nothing wrong.

The batches are the log's rows, cut and ordered by the test.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

import psycopg
import pytest

from adapters.postgres import fed, feed_store, log_reader
from adapters.postgres.feed_store import Batch
from adapters.postgres.log_reader import LogRow
from adapters.postgres.runner import catch_up
from adapters.postgres.source_log import SourceLog, open_source
from adapters.postgres.tables import Connection, connect
from adapters.settings import Settings
from aggregates.lead.events import LeadCaptured
from tests.conformance.forgetting import Canary, erasure, found
from tests.conformance.histories import Entry, append, append_bytes, history, interleaved
from tests.integration.sql_logins import made
from tests.kafka.feeding import differences
from tests.seed import SEED
from tests.size import size

HISTORIES = size(60, 2_000)
SETTINGS = Settings(allow_unsafe_postgres=True)
EVERYTHING = f"SELECT {log_reader.COLUMNS} FROM log.leadlog_events ORDER BY notification_id"
READER = (
    "GRANT USAGE ON SCHEMA log, privacy TO {name};"
    " GRANT SELECT ON log.leadlog_events, privacy.keys, privacy.erasures TO {name}"
)


@pytest.fixture
def fed_dsn(second_dsn: str) -> str:
    fed.claim(second_dsn, "leadlog.events", SETTINGS)
    return second_dsn


@pytest.fixture
def reader(dsn: str) -> Iterator[str]:
    """The log's database for a login with the rights that the documents name."""
    with made(dsn) as logins:
        name = logins.make("reader")
        with psycopg.connect(dsn) as conn:
            conn.execute(READER.format(name=name).encode())
        yield logins.dsn_of(name)
        with psycopg.connect(dsn) as conn:
            conn.execute(f"DROP OWNED BY {name}".encode())


def test_a_reader_that_lost_its_partition_changes_nothing(
    dsn: str, fed_dsn: str, reader: str
) -> None:
    append(dsn, _some(_rng(1)))
    rows = _log(dsn)
    with connect(fed_dsn) as zombie, connect(fed_dsn) as other, open_source(reader) as source:
        assert feed_store.place(zombie, 0) == feed_store.place(other, 0) == 0
        half = len(rows) // 2
        assert feed_store.take(other, source, _batch(rows, 0, half)) == half
        assert feed_store.take(other, source, _batch(rows, half, len(rows))) == len(rows)
        before = _tables(fed_dsn)
        assert feed_store.take(zombie, source, _batch(rows, 0, half)) == len(rows)
        assert feed_store.place(zombie, 0) == len(rows)
        assert _tables(fed_dsn) == before
    catch_up(dsn)
    assert differences(dsn, fed_dsn) == {}


def test_streams_in_two_partitions_at_once_are_folded_once(
    dsn: str, fed_dsn: str, reader: str
) -> None:
    """Both bring everything, in other orders of the streams, at the same time."""
    rng = _rng(2)
    append(dsn, _some(rng))
    with ThreadPoolExecutor(2) as pool:
        for done in [
            pool.submit(_take_all, fed_dsn, reader, number, _shuffled(rng, _log(dsn)))
            for number in range(2)
        ]:
            done.result()
    catch_up(dsn)
    assert differences(dsn, fed_dsn) == {}


def test_without_the_log_a_gap_waits_until_another_partition_fills_it(
    dsn: str, fed_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    append(dsn, _some(_rng(3)))
    rows = _log(dsn)
    late = next(n for n, row in enumerate(rows) if row[2] == 2)
    early = next(n for n, row in enumerate(rows) if row[1:3] == (rows[late][1], 1))
    rows.insert(0, rows.pop(late))
    with connect(fed_dsn) as conn:
        for partition in (0, 1):
            feed_store.place(conn, partition)
        assert feed_store.take(conn, None, _batch(rows, 0, len(rows))) == 0
        assert "set LEADLOG_KAFKA_LOG" in caplog.text
        first = rows[early + (early < late)]
        batch = Batch(partition=1, start=0, upto=1, end=1, events=[(0, first)])
        assert feed_store.take(conn, None, batch) == 1
        assert feed_store.take(conn, None, _batch(rows, 0, len(rows))) == len(rows)
    catch_up(dsn)
    unsealed = [name for name, p in fed.PARTITIONED.items() if not p.personal]
    assert differences(dsn, fed_dsn, names=unsealed) == {}


def test_an_erased_lead_is_forgotten_here_too(dsn: str, fed_dsn: str, reader: str) -> None:
    """Also by a database without the keys, which never knew it."""
    rng = _rng(4)
    streams = history(rng, leads=HISTORIES, captured_first=True)
    leads = [own for own in streams if isinstance(own[0].event, LeadCaptured)]
    leads = [own for own in leads if not any("Erased" in type(x.event).__name__ for x in own)]
    canaries = {own[0].stream: Canary(n) for n, own in enumerate(leads, 1)}
    words = {canary.word for canary in canaries.values()}
    append(dsn, interleaved(rng, [[canaries[x.stream].put_in(x) for x in own] for own in leads]))
    with connect(fed_dsn) as conn, open_source(reader) as source:
        feed_store.place(conn, 0)
        known = len(rows := _log(dsn))
        assert feed_store.take(conn, source, _batch(rows, 0, known)) == known
        assert found(fed_dsn, canaries.values()) == words
        gone = leads[::2]
        append(dsn, [erasure(own) for own in gone])
        rows = _log(dsn)
        assert feed_store.take(conn, source, _batch(rows, known, len(rows))) == len(rows)
    left = words - {canaries[own[0].stream].word for own in gone}
    assert found(fed_dsn, canaries.values()) == left
    catch_up(dsn)
    assert differences(dsn, fed_dsn) == {}


def test_an_event_that_cannot_be_folded_parks_its_lead_alone(
    dsn: str, fed_dsn: str, reader: str
) -> None:
    append(dsn, entries := _some(_rng(5))[:150])
    broken = entries[0].stream
    last = max(entry.version for entry in entries if entry.stream == broken)
    append_bytes(dsn, broken, last + 1, "lead.converted", b'{"amount": ["85000.00"]}')
    append(dsn, [Entry(broken, last + 2, LeadCaptured(code="A"))])
    with connect(fed_dsn) as conn, open_source(reader) as source:
        for rows in (_log(dsn)[:-1], _log(dsn)):  # what follows comes in a batch of its own
            _take_in_turn(conn, source, 0, rows)
    catch_up(dsn)
    assert differences(dsn, fed_dsn) == {}
    parked = "SELECT name, stream, position, error FROM projection.parked ORDER BY name, position"
    with psycopg.connect(dsn) as own, psycopg.connect(fed_dsn) as conn:
        wanted = [row for row in own.execute(parked) if row[0] in fed.PARTITIONED]
        assert conn.execute(parked).fetchall() == wanted != []


def _take_all(fed_dsn: str, reader: str, partition: int, rows: Sequence[LogRow]) -> None:
    with connect(fed_dsn) as conn, open_source(reader) as source:
        _take_in_turn(conn, source, partition, rows)


def _take_in_turn(
    conn: Connection, source: SourceLog | None, partition: int, rows: Sequence[LogRow]
) -> None:
    place = feed_store.place(conn, partition)
    while place < len(rows):
        batch = _batch(rows, place, min(place + 60, len(rows)), partition)
        place = feed_store.take(conn, source, batch)


def _batch(rows: Sequence[LogRow], start: int, upto: int, partition: int = 0) -> Batch:
    return Batch(partition, start, upto, len(rows), list(enumerate(rows))[start:upto])


def _shuffled(rng: Random, rows: Sequence[LogRow]) -> list[LogRow]:
    """Another order of the streams, each in its own."""
    streams = defaultdict(list)
    for row in rows:
        streams[row[1]].append(row)
    turns = [row[1] for row in rows]
    rng.shuffle(turns)
    following = {stream: iter(own) for stream, own in streams.items()}
    return [next(following[stream]) for stream in turns]


def _log(dsn: str) -> list[LogRow]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(EVERYTHING.encode()).fetchall()


def _tables(dsn: str) -> list[object]:
    """How every row of the streams' and partitions' books was last written."""
    with psycopg.connect(dsn) as conn:
        return [
            conn.execute(
                f"SELECT xmin::text, t::text FROM {table} t ORDER BY 2".encode()
            ).fetchall()
            for table in ("projection.streams", "p_leads_1.leads", "p_follow_ups_1.follow_ups")
        ]


def _some(rng: Random) -> list[Entry]:
    return interleaved(rng, [own for _ in range(HISTORIES // 2) for own in history(rng)])


def _rng(number: int) -> Random:
    print(f"SEED={SEED}")
    return Random(f"{SEED}-{number}")
