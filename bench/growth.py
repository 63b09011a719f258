"""S11: what appending and reading cost on a long log, against a short one."""

import asyncio
import random
from uuid import UUID, uuid4

import psycopg
import uvloop

from adapters.postgres.event_log import GroupCommitter, PostgresEventLog, StoredAppend
from adapters.postgres.log_reader import read
from adapters.postgres.session import Session
from adapters.postgres.tables import connect
from bench.appends import STATE
from bench.harness import Figure, Server, interleaved, seconds
from bench.history import fill
from projections.catalogue import PROJECTIONS

SHORT = 10_000
APPENDS, LOADS, BATCHES = 20_000, 3_000, 60
IN_FLIGHT = 64


def run(server: Server, rounds: int, size: int) -> list[Figure]:
    short, long = server.database(), server.database()
    fill(short, SHORT)
    fill(long, size)
    figures = []
    for what, work in (
        (f"{APPENDS:,} appends", _append),
        (f"{LOADS:,} loads of a lead", _load),
        (f"{BATCHES} batches of 500 behind a position", _follow),
    ):
        took = interleaved(rounds, long=lambda w=work: w(long), short=lambda w=work: w(short))
        ratio = took["long"] / took["short"]
        figures.append(
            Figure(
                "S11", f"{what} at {size:,} events / at {SHORT:,}", f"{took['long']:.2f} s",
                f"{took['short']:.2f} s", ratio, "<= 1.2 x", ratio <= 1.2,
            )
        )  # fmt: skip
    return figures


def _append(dsn: str) -> float:
    async def work() -> None:
        session = Session(dsn, "leadlog_writer")
        committer = GroupCommitter(session)

        async def client() -> None:
            for _ in range(APPENDS // IN_FLIGHT):
                event = (uuid4(), 1, "lead.stage-changed", STATE)
                await committer.append(StoredAppend(uuid4(), b"f" * 16, [event]))

        await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))
        await session.close()

    return seconds(lambda: uvloop.run(work()))


def _load(dsn: str) -> float:
    streams = _some_streams(dsn, LOADS)

    async def work() -> None:
        log = PostgresEventLog(dsn)
        for start in range(0, LOADS, IN_FLIGHT):
            await asyncio.gather(*map(log.load, streams[start : start + IN_FLIGHT]))
        await log.close()

    return seconds(lambda: uvloop.run(work()))


def _follow(dsn: str) -> float:
    rng = random.Random(1)
    with connect(dsn) as conn:
        row = conn.execute("SELECT max(notification_id) FROM log.leadlog_events").fetchone()
        assert row is not None
        starts = [rng.randrange(row[0] - 1000) for _ in range(BATCHES)]
        follow = PROJECTIONS["leads"]
        return seconds(lambda: [read(conn, follow, at, row[0], 500) for at in starts])


def _some_streams(dsn: str, amount: int) -> list[UUID]:
    """Leads with about as many events on either log."""
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(
            "SELECT originator_id FROM log.leadlog_events WHERE originator_version = 8"
            " ORDER BY md5(originator_id::text) LIMIT 500"
        ).fetchall()
    return [rows[n % len(rows)][0] for n in range(amount)]
