"""`leadlog report`: any report in the terminal, as a table, JSON or CSV."""

from typing import Annotated

import typer

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened, read_time
from adapters.cli.sheets import Format, show
from adapters.postgres import fed, reports
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import Connection, connect
from adapters.settings import Settings
from projections.reports.catalogue import REPORTS, find
from projections.reports.params import ReportParams, read
from projections.reports.report import Body, Report


@app.command("report")
def report_(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(REPORTS)}.")],
    *,
    dimension: Annotated[
        str | None, typer.Option(help="E.g. source, owner, attribute:<key>; two with a comma.")
    ] = None,
    cohort: Annotated[str | None, typer.Option(help="Leads captured in YYYY-MM.")] = None,
    date_from: Annotated[str | None, typer.Option("--from", help="First local date.")] = None,
    date_to: Annotated[str | None, typer.Option("--to", help="Date after the last.")] = None,
    attribution: Annotated[
        str | None, typer.Option(help="Owners: at_conversion, current, first, all.")
    ] = None,
    denominator: Annotated[str | None, typer.Option(help="all or valid.")] = None,
    since: Annotated[str | None, typer.Option(help="capture or assignment.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Facts that happened before TIME.")] = None,
    as_known: Annotated[str | None, typer.Option(help="What was recorded by TIME.")] = None,
    at_position: Annotated[int | None, typer.Option(help="The same by log position.")] = None,
    form: Annotated[Format, typer.Option("--format")] = Format.TABLE,
    database: DatabaseOption = None,
) -> None:
    """Print a report, with its read tables brought up to the log's end."""
    report, zone = find(name), Settings.load(database=database).timezone
    given = {
        "dimension": dimension,
        "cohort": cohort,
        "from": date_from,
        "to": date_to,
        "attribution": attribution,
        "denominator": denominator,
        "since": since,
        "as_of": read_time("--as-of", as_of, zone),
        "as_known": read_time("--as-known", as_known, zone),
        "at_position": at_position,
    }
    show(_answer(report, read(report, given, zone), database), form)


def _answer(report: Report, params: ReportParams, database: str | None) -> Body:
    with opened(database, may_be_fed=True) as handle, connect(handle.dsn) as conn:
        _require_tables(conn, report, params)
        catch_up(handle.dsn, report.projections)
        return reports.run(conn, report, params)


def _require_tables(conn: Connection, report: Report, params: ReportParams) -> None:
    """A database that is fed from Kafka has not all tables, and no log to fold an earlier state."""
    lacks = params.historical or set(report.projections) - fed.PARTITIONED.keys()
    if lacks and fed.fed_from(conn):
        raise Failed(
            f"{report.name}: this database, which is fed from Kafka, has not what it takes: ask the"
            " log's own database"
        )
