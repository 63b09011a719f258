"""`leadlog import`: what other systems know of leads, brought into the log."""

import csv
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption
from adapters.company import open_company
from adapters.database import open_database
from adapters.history_file import PUT_ASIDE, HistoryFile, Row, Unreadable
from adapters.history_import import BrokenRow, HistoryImport, PutAside, Tally
from adapters.postgres.bulk import HistoryLog
from adapters.settings import Settings
from commands.history import HEADER, TYPES, HistoryRows
from commands.history_mapping import HistoryMapping

group = typer.Typer(help="Bring leads and their past in.", no_args_is_help=True)
app.add_typer(group, name="import")

LONGEST_SOURCE = 100


def _source(name: str) -> str:
    if not name.strip() or len(name) > LONGEST_SOURCE or "/" in name or "\0" in name:
        raise typer.BadParameter(f"a name of 1 to {LONGEST_SOURCE} characters without `/`")
    return name


@group.command()
def history(
    file: Annotated[Path, typer.Argument(help="CSV, may be gzip: seq,ts,lead_id,type,data.")],
    *,
    source: Annotated[
        str, typer.Option(callback=_source, help="The system it comes from; (source, seq) is a row.")
    ],
    mapping: Annotated[Path | None, typer.Option(help="TOML: the file's words for ours.")] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Put broken rows aside and go on.")
    ] = False,
    errors: Annotated[Path | None, typer.Option(help="Where they go, with their reasons.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Import a log of past facts. Rows that are in the log already change nothing."""
    if skip_broken != bool(errors):
        raise typer.BadParameter("--skip-broken and --errors OUT.csv belong together")
    words = _mapping(mapping)
    settings = Settings.load(database=database)
    started = time.monotonic()
    try:
        with ExitStack() as open_:
            rows = open_.enter_context(HistoryFile(file))
            aside = open_.enter_context(_put_aside(file, errors)) if errors else None
            handle = open_.enter_context(open_database(settings))
            zone = open_company(handle.dsn, settings).zone
            log = open_.enter_context(HistoryLog(handle.dsn, source, zone))
            run = HistoryImport(rows, HistoryRows(source, zone, words), log, aside)
            tally = run.run(open_.enter_context(_progress(rows)))
    except BrokenRow as error:
        raise Failed(f"{file}, {error} (the rows before it are imported)") from error
    except Unreadable as error:
        raise Failed(f"{file}: {error}") from error
    typer.echo(_summary(tally, time.monotonic() - started))
