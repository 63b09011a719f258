"""S5, S6: rebuilding projections, against COPY and against the library's projection runner."""

import subprocess
import sys
from collections.abc import Iterator
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
    dsn = server.database()
    fill(dsn, size)
    took = interleaved(
        rounds,
        leads=lambda: seconds(lambda: _rebuild(dsn, "leads")),
        copy=lambda: seconds(lambda: _copy(dsn, size)),
    )
    ratio = took["copy"] / took["leads"]
    memory = _peak_memory(dsn)
    figures = [
        Figure(
            "S5", f"rebuild of one projection (leads), {size:,} events / COPY of as many rows",
            f"{size / took['leads']:,.0f}/s, peak {memory:.0f} MB",
            f"{size / took['copy']:,.0f}/s", ratio, ">= 0.3 x, <= 300 MB",
            ratio >= 0.3 and memory <= 300,
        )
    ]  # fmt: skip
    slow = events_per_second(server.database(), LIBRARY_EVENTS)
    for name in PROJECTIONS:
        rate = size / seconds(lambda n=name: _rebuild(dsn, n))  # type: ignore[misc]
        figures.append(
            Figure(
                "S6", f"rebuild of {name} / library's ProjectionRunner with one trivial table",
                f"{rate:,.0f}/s", f"{slow:,.0f}/s", rate / slow, ">= 10 x", rate / slow >= 10,
            )
        )  # fmt: skip
    return figures


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
