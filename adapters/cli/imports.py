"""`leadlog import`: facts of the past into the log."""

import tomllib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption
from adapters.company import Company, open_company
from adapters.database import open_database
from adapters.history_import import BrokenRow, Tally, import_history
from adapters.row_file import Unreadable
from adapters.settings import Settings
from commands.history import TYPES
from commands.history_mapping import HistoryMapping
from commands.marks import marker

group = typer.Typer(help="Bring leads and their history in.", no_args_is_help=True)
app.add_typer(group, name="import")


@group.callback()
def _group() -> None:
    """Bring leads and their history in."""


@group.command()
def history(
    file: Annotated[Path, typer.Argument(help="CSV or CSV.gz: seq,ts,lead_id,type,data.")],
    *,
    source: Annotated[str, typer.Option(help="Name of the system the facts come from.")],
    mapping: Annotated[Path | None, typer.Option(help="TOML: the file's own words.")] = None,
    skip_broken: Annotated[bool, typer.Option(help="Put broken rows aside and go on.")] = False,
    errors: Annotated[Path | None, typer.Option(help="Where to put them, a CSV.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Import past facts, each (source, seq) once. Stops at a broken row, unless told to skip."""
    if skip_broken != bool(errors):
        raise typer.BadParameter("--skip-broken and --errors OUT.csv go together")
    if not source.strip() or len(source) > 100 or "/" in source or "\0" in source:
        raise typer.BadParameter("--source is a name of 1 to 100 characters without /")
    if errors and errors.exists() and file.exists() and errors.samefile(file):
        raise typer.BadParameter("--errors names the file to import: choose another one")
    settings, words = Settings.load(database=database), _mapping(mapping)
    with open_database(settings) as handle:
        company = open_company(handle.dsn, settings)
        _report(_import(handle.dsn, file, source, company, words, errors), errors)


def _import(
    dsn: str,
    file: Path,
    source: str,
    company: Company,
    mapping: HistoryMapping,
    errors: Path | None,
) -> Tally:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"importing {file.name}", total=None)
        try:
            return import_history(
                dsn,
                file,
                source=source,
                zone=company.zone,
                mark=marker(company.ledger_key),
                mapping=mapping,
                simulated_now=company.simulated_now(),
                errors=errors,
                progress=lambda done, size: bar.update(task, completed=done, total=size or None),
            )
        except (Unreadable, BrokenRow) as error:
            raise Failed(f"{file}: {error}") from None
        except OSError as error:
            raise Failed(f"{error.filename or errors}: {error.strerror}") from None


def _mapping(path: Path | None) -> HistoryMapping:
    if path is None:
        return HistoryMapping()
    try:
        return HistoryMapping.parse(tomllib.loads(path.read_text(encoding="utf-8")), TYPES)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None
    except ValueError as error:  # no TOML, not UTF-8, or words that make no sense
        raise Failed(f"{path}: {error}") from None


def _report(tally: Tally, errors: Path | None) -> None:
    there = tally.rows - tally.new_rows - tally.put_aside
    rate = tally.events / max(tally.seconds, 1e-9)
    parts = [
        f"{tally.rows} rows read",
        f"{there} already there",
        f"{tally.events} events appended",
        f"{rate:.0f}/s",
    ]
    if errors:
        parts.append(f"{tally.put_aside} rows put aside in {errors}")
    typer.echo(", ".join(parts))
