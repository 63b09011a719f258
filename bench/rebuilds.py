"""S5, S6: rebuilding projections, against COPY and against the library's projection runner."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from uuid import uuid4

import psycopg

from adapters.postgres.rebuild import rebuild
from adapters.postgres.tables import connect
from bench.harness import Figure, Server, interleaved, seconds
from bench.history import fill
from bench.library_runner import events_per_second
from projections.catalogue import PROJECTIONS

LIBRARY_EVENTS = 3_000


def run(server: Server, rounds: int, size: int) -> list[Figure]:
    """S5 for the projection `leads`, S6 for each projection alone."""
    dsn = server.database()
    fill(dsn, size)
    rates = interleaved(
        rounds,
        copy=lambda: size / seconds(lambda: _copy(dsn, size)),
        library=lambda: events_per_second(server.database(), LIBRARY_EVENTS),
        **{name: partial(_rate, dsn, name, size) for name in PROJECTIONS},
    )
    ratio, memory = rates["leads"] / rates["copy"], _peak_memory(dsn)
    return [
        Figure(
            "S5", f"rebuild of one projection (leads), {size:,} events / COPY of as many rows",
            f"{rates['leads']:,.0f}/s, peak {memory:.0f} MB", f"{rates['copy']:,.0f}/s",
            ratio, ">= 0.3 x, <= 300 MB", ratio >= 0.3 and memory <= 300,
        ),
        *(_against_library(name, rates) for name in PROJECTIONS),
    ]  # fmt: skip


def _against_library(name: str, rates: Mapping[str, float]) -> Figure:
    ratio = rates[name] / rates["library"]
    return Figure(
        "S6", f"rebuild of {name} / library's ProjectionRunner with one trivial table",
        f"{rates[name]:,.0f}/s", f"{rates['library']:,.0f}/s", ratio, ">= 10 x", ratio >= 10,
    )  # fmt: skip


def _rate(dsn: str, name: str, size: int) -> float:
    """Events of the log per second, those that the projection does not fold included."""
    return size / seconds(lambda: _rebuild(dsn, name))


def _rebuild(dsn: str, name: str) -> None:
    with connect(dsn) as conn:
        rebuild(conn, PROJECTIONS[name])


def _copy(dsn: str, size: int) -> None:
    """COPY of as many rows of seven columns into one table with a primary key."""
    with psycopg.connect(dsn) as conn, conn.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS copied")
        cursor.execute(
            "CREATE TABLE copied (id uuid PRIMARY KEY, version bigint, a text, b text,"
            " at timestamptz DEFAULT now(), flag boolean, position bigint)"
        )
        with cursor.copy("COPY copied (id, version, a, b, flag, position) FROM STDIN") as copy:
            for block in _blocks(size):
                copy.write(block)


def _blocks(size: int, per_block: int = 10_000) -> Iterator[str]:
    for start in range(0, size, per_block):
        rows = range(start, min(start + per_block, size))
        yield "".join(f"{uuid4()}\t1\t官网注册\t信息技术\tt\t{n}\n" for n in rows)


def _peak_memory(dsn: str) -> float:
    """Peak resident megabytes of a process that rebuilds `leads` once."""
    code = (
        "import resource, sys; from bench.rebuilds import _rebuild;"
        " _rebuild(sys.argv[1], 'leads');"
        " print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    command = [sys.executable, "-c", code, dsn]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
