"""S9: `leadlog import leads`, the whole command, until every lead has an owner.

No worker runs: the command finds the owners itself when all rows are in. Twenty people in four
teams wait for leads.
"""

import statistics
import tempfile
from pathlib import Path

import psycopg

from bench import services
from bench.harness import Figure, Server, seconds
from bench.lead_file import MAPPING, write

ROWS, FEW_ROWS = 100_000, 10_000
PEOPLE, TEAMS = 20, 4
OWNED = "SELECT count(DISTINCT originator_id) FROM log.leadlog_events WHERE topic = 'lead.assigned'"


def run(server: Server, rounds: int) -> list[Figure]:
    """Seconds for many rows, and what one of them costs against one of a tenth as many."""
    with tempfile.TemporaryDirectory(prefix="leadlog-bench-") as directory:
        took: dict[int, list[float]] = {FEW_ROWS: [], ROWS: []}
        for _ in range(rounds):
            for rows, times in took.items():
                times.append(_import(server.database(), Path(directory), rows))
    few, many = (statistics.median(took[rows]) / rows for rows in (FEW_ROWS, ROWS))
    total = many * ROWS
    return [
        Figure(
            "S9", f"import leads of {ROWS:,} rows until all are assigned, {1 / many:,.0f}/s",
            f"{total:.0f} s", "-", None, "<= 60 s", total <= 60,
        ),
        Figure(
            "S9", f"its time for a row, {ROWS:,} rows / {FEW_ROWS:,} rows",
            f"{many * 1e6:.0f} us", f"{few * 1e6:.0f} us", many / few,
            "<= 1.2 x", many / few <= 1.2,
        ),
    ]  # fmt: skip


def _import(dsn: str, directory: Path, rows: int) -> float:
    """Seconds."""
    file, mapping = directory / "leads.csv", directory / "leads.toml"
    write(file, rows, seed=1, faults=0)
    mapping.write_text(MAPPING, encoding="utf-8")
    for number in range(PEOPLE):
        team = f"team {number % TEAMS}"
        services.run(
            "users", "add", f"p{number}", "--role", "sales", "--team", team, "--database", dsn
        )
    took = seconds(
        lambda: services.run("import", "leads", file, "--mapping", mapping, "--database", dsn)
    )
    with psycopg.connect(dsn) as conn:
        assert conn.execute(OWNED).fetchone() == (rows,), "somebody has no owner"
    return took
