"""`leadlog timers`: what will be due, and moving the clock of a simulated company."""

import csv
import json
import sys
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
import uvloop
from rich.console import Console
from rich.table import Table as Sheet

from adapters.cli import app
from adapters.cli.options import DatabaseOption, opened, read_time
from adapters.cli.sheets import Format
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.postgres.timer_queries import ringing
from adapters.settings import Settings
from adapters.simulated import run_until
from aggregates.values import local_time

group = typer.Typer(help="Deadlines: what rings next; simulated time.", no_args_is_help=True)
app.add_typer(group, name="timers")


@group.command("list")
def list_(
    *,
    until: Annotated[str | None, typer.Option(help="Only what is due by TIME.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    form: Annotated[Format, typer.Option("--format")] = Format.TABLE,
    database: DatabaseOption = None,
) -> None:
    """Show what will be due, in order, if nothing happens meanwhile."""
    settings = Settings.load(database=database)
    zone, by = ZoneInfo(settings.timezone), read_time("--until", until, settings.timezone)
    with opened(database) as handle:
        catch_up(handle.dsn, ["tasks"])
        with connect(handle.dsn) as conn:
            _show([_shown(row, zone) for row in ringing(conn, by, limit)], form)


@group.command("run")
def run(
    until: Annotated[str, typer.Option(help="Where the clock is to stand.")],
    database: DatabaseOption = None,
) -> None:
    """Move a simulated company's clock to TIME; what is due on the way happens when it is due."""
    settings = Settings.load(database=database)
    by = read_time("--until", until, settings.timezone)
    assert by is not None
    zone, instants = ZoneInfo(settings.timezone), 0
    with opened(database) as handle, Console(stderr=True).status("moving the clock") as status:

        def told(instant: Any) -> None:
            nonlocal instants
            instants += 1
            status.update(f"moving the clock: {local_time(instant, zone)}")

        uvloop.run(run_until(handle.dsn, settings, by, told))
    typer.echo(f"the clock stands at {local_time(by, zone)}; something was due at {instants} times")


def _shown(row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    return row | {"rings_at": local_time(row["rings_at"], zone), "lead": str(row["lead"])}


def _show(rows: list[dict[str, Any]], form: Format) -> None:
    if form is Format.JSON:
        typer.echo(json.dumps({"timers": rows}, ensure_ascii=False))
        return
    columns = ("rings_at", "code", "name", "owner", "team")
    if form is Format.CSV:
        sheet = csv.DictWriter(sys.stdout, columns, extrasaction="ignore")
        sheet.writeheader()
        sheet.writerows(rows)
        return
    table = Sheet(*columns)
    for row in rows:
        table.add_row(*(str(row[c] or "") for c in columns))
    Console(width=None if Console().is_terminal else 120).print(table)
