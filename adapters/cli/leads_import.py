"""`leadlog import leads`: a CSV of current leads through the capture command."""

import tomllib
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
import uvloop
from rich.console import Console
from rich.progress import Progress

from adapters.cli import Failed
from adapters.cli.imports import group
from adapters.cli.options import DatabaseOption
from adapters.company import Company, open_company
from adapters.database import open_database
from adapters.lead_file import LeadFile
from adapters.lead_import import LeadImport, Outcome, Tally
from adapters.lead_sheets import Sheets
from adapters.postgres.processes import run_to_end
from adapters.row_file import Unreadable
from adapters.settings import Settings
from adapters.write_side import open_write_side
from commands.lead_mapping import LeadMapping, Misfit
from commands.lead_mapping_guess import guess as guess_mapping
from commands.lead_rows import LeadRows
from processes import assignment

SOURCE = "leads"


@group.command()
def leads(
    file: Annotated[Path, typer.Argument(help="CSV or CSV.gz whose first line names columns.")],
    *,
    mapping: Annotated[Path | None, typer.Option(help="TOML: which column is what.")] = None,
    source: Annotated[str, typer.Option(help="Name of the system the rows are from.")] = SOURCE,
    errors: Annotated[Path | None, typer.Option(help="Where to put refused rows, a CSV.")] = None,
    duplicates: Annotated[Path | None, typer.Option(help="Where to list them, a CSV.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Check everything, enter nothing.")] = False,
    guess: Annotated[bool, typer.Option(help="Print a mapping to begin with.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Enter each row as a new lead, once, and find owners for them unless a worker does.

    Rows that cannot be entered are told with reasons.
    """
    if guess:
        typer.echo(_guessed(file), nl=False)
        return
    if mapping is None:
        raise typer.BadParameter("--mapping MAP.toml is needed; --guess prints one to begin with")
    if not source.strip() or len(source) > 100 or "/" in source or not source.isprintable():
        raise typer.BadParameter("--source is a name of 1 to 100 characters without /")
    _refuse_overwriting(file, mapping, errors, duplicates)
    given = _Given(file, _mapping(mapping), source, errors, duplicates, dry_run)
    settings = Settings.load(database=database)
    with open_database(settings) as handle:
        company = open_company(handle.dsn, settings)
        tally, first = _import(handle.dsn, company, given)
        if tally.rows["new"] and not dry_run:
            with Console(stderr=True).status("finding owners"):
                uvloop.run(run_to_end(handle.dsn, company, assignment.NAME))
    _report(given, tally, first)


class _Given(NamedTuple):
    file: Path
    mapping: LeadMapping
    source: str
    errors: Path | None
    duplicates: Path | None
    dry_run: bool


def _import(dsn: str, company: Company, given: _Given) -> tuple[Tally, Outcome | None]:
    """What came of it, and the first row with a fault."""
    try:
        with closing(LeadFile(given.file, fill_short=given.mapping.fill_short)) as file:
            rows = LeadRows(given.mapping, file.header)
            with Sheets(given.errors, given.duplicates, file.header) as sheets:
                return uvloop.run(_enter(dsn, company, given, file, rows, sheets)), sheets.first
    except (Unreadable, Misfit) as error:
        raise Failed(f"{given.file}: {error}") from None
    except OSError as error:
        raise Failed(f"{error.filename}: {error.strerror}") from None


async def _enter(
    dsn: str, company: Company, given: _Given, file: LeadFile, rows: LeadRows, sheets: Sheets
) -> Tally:
    async with AsyncExitStack() as stack:
        own = open_write_side(dsn, company, stack, rehearse=given.dry_run)
        parts = (own.commands, own.leads, own.log)
        job = LeadImport(file, rows, given.source, *parts, codes_of_twins=bool(given.duplicates))
        bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
        task = bar.add_task(f"importing {given.file.name}", total=file.size)
        return await job.run(sheets.tell, lambda done: bar.update(task, completed=done))


def _guessed(file: Path) -> str:
    try:
        with closing(LeadFile(file)) as opened:
            return guess_mapping(opened.header)
    except Unreadable as error:
        raise Failed(f"{file}: {error}") from None


def _mapping(path: Path) -> LeadMapping:
    try:
        return LeadMapping.parse(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None
    except ValueError as error:  # no TOML, not UTF-8, or words that make no sense
        raise Failed(f"{path}: {error}") from None


def _refuse_overwriting(
    file: Path, mapping: Path, errors: Path | None, duplicates: Path | None
) -> None:
    read = [path.resolve() for path in (file, mapping)]
    for option, path in (("--errors", errors), ("--duplicates", duplicates)):
        if path and path.resolve() in read:
            raise typer.BadParameter(f"{option} names a file that is read: choose another one")
        read += [path.resolve()] if path else []


def _report(given: _Given, tally: Tally, first: Outcome | None) -> None:
    rows, twins = tally.rows, tally.twins
    parts = [
        f"{rows.total()} rows read",
        f"{rows['new']} {'could be entered' if given.dry_run else 'entered'}",
        f"{rows['there']} already there",
        f"{rows['changed']} changed since and not updated",
        f"{rows['refused']} refused",
        f"{rows.total() / max(tally.seconds, 1e-9):.0f}/s",
    ]
    typer.echo(("dry run: " if given.dry_run else "") + ", ".join(parts))
    for place, in_file in (("in the file", True), ("in the database", False)):
        certain, possible = twins[True, in_file], twins[False, in_file]
        typer.echo(f"duplicates {place}: {certain} certain, {possible} possible")
    if first and given.errors:
        typer.echo(f"rows that are not in, with reasons: {given.errors}")
    elif first:
        column, reason = first.faults[0]
        raise Failed(
            f"line {first.row.line}: {column} {reason}".replace(":  ", ": ")
            + f" ({rows['changed'] + rows['refused']} rows are not in: --errors OUT.csv keeps them)"
        )
