"""`python -m bench [S1 S2 ...]`: measure, print one table, and keep it with --save."""

import argparse
import os
import platform
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from bench import (
    appends,
    checkpoints,
    growth,
    http,
    imports,
    leads,
    partitions,
    rebuilds,
    relay,
    start,
    timers,
    visible,
)
from bench.harness import Figure, Server, server

RESULTS = Path(__file__).parent / "results"
EVENTS, MANY_EVENTS = 1_000_000, 10_000_000
EVENTS_PER_TIMER = EVENTS_PER_FED = EVENTS_PER_COPIED = 10

Suite = Callable[[Server, argparse.Namespace], list[Figure]]
SUITES: dict[str, Suite] = {
    "S1": lambda on, given: http.run(on, max(given.rounds, 5)),
    "S2": lambda on, given: appends.run(on, given.rounds),
    "S4": lambda on, given: visible.run(on, given.rounds),
    "S5": lambda on, given: rebuilds.run(on, given.rounds, given.events),
    "S8": lambda on, given: imports.run(on, given.rounds),
    "S9": lambda on, given: leads.run(on, given.rounds),
    "S10": lambda on, given: timers.run(on, given.events // EVENTS_PER_TIMER),
    "S11": lambda on, given: growth.run(on, given.rounds, given.events),
    "S12": lambda _, given: start.run(given.rounds),
    "S13": lambda on, given: checkpoints.run(on, given.rounds),
    "S14": lambda on, given: relay.run(on, given.rounds, given.events // EVENTS_PER_COPIED),
    "S15": lambda on, given: partitions.run(on, given.events // EVENTS_PER_FED),
}
TOGETHER = {"S3": "S2", "S6": "S5"}
"""Measured in the same run as another."""


def main() -> None:
    given = _arguments()
    wanted = {TOGETHER.get(name, name) for name in given.names or SUITES}
    figures: list[Figure] = []
    # All processes of a run are under one master key.
    os.environ.setdefault("LEADLOG_MASTER_KEY", b64encode(os.urandom(32)).decode())
    with server() as running:
        version = _postgresql(running)
        for name, suite in SUITES.items():
            if name in wanted:
                print(f"measuring {name} ...", file=sys.stderr)
                figures += suite(running, given)
    Console(width=160).print(_table(figures))
    if given.save:
        _save(figures, version)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", help="S1 S2 S3 S4 S5 S6 S8 S9 S10 S11 S12 S13 S14 S15; default all"
    )
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds")
    parser.add_argument("--events", type=int, default=EVENTS, help="size of the log")
    parser.add_argument("--large", action="store_const", dest="events", const=MANY_EVENTS)
    parser.add_argument("--save", action="store_true", help="keep the table in bench/results/")
    given = parser.parse_args()
    if unknown := set(given.names) - SUITES.keys() - TOGETHER.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    return given


COLUMNS = ("id", "what", "ours", "baseline", "ratio", "target", "met")


def _cells(figure: Figure) -> Sequence[str]:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f} x"
    met = {True: "yes", False: "NO", None: ""}[figure.met]
    return (figure.id, figure.what, figure.ours, figure.baseline, ratio, figure.target, met)


def _table(figures: Sequence[Figure]) -> Table:
    table = Table(*COLUMNS)
    for figure in figures:
        table.add_row(*_cells(figure))
    return table


def _save(figures: Sequence[Figure], postgresql: str) -> None:
    now = datetime.now(UTC)
    memory = psutil.virtual_memory().total / 2**30
    lines = [
        f"# Results of {now:%Y-%m-%d %H:%M} UTC",
        "",
        f"Command: `python -m bench {' '.join(sys.argv[1:])}`",
        f"Machine: {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}, "
        f"PostgreSQL {postgresql}; medians of interleaved rounds.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
        *("| " + " | ".join(_cells(figure)) + " |" for figure in figures),
    ]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{now:%Y-%m-%d-%H%M}.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _postgresql(running: Server) -> str:
    with psycopg.connect(running.cluster.dsn("postgres")) as conn:
        return ".".join(map(str, divmod(conn.info.server_version, 10_000)))


main()
