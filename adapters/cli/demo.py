"""`leadlog demo`: a simulated company to look at, in a database of its own."""

import shlex
from datetime import UTC, datetime, timedelta
from typing import Annotated

import psycopg
import typer
import uvloop
from rich.console import Console
from rich.progress import Progress

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption
from adapters.cli.sheets import Format, show
from adapters.company import open_company
from adapters.database import Database, open_database
from adapters.demo.drive import WINDOW, drive
from adapters.demo.plan import plan
from adapters.people import TOKEN_FILE, first_administrator
from adapters.postgres import reports
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.settings import Settings
from projections.reports.catalogue import find
from projections.reports.params import read

DAYS_PER_MONTH = 30.4
STATE = (
    "SELECT (SELECT max(value) FROM log.company WHERE name = %s),"
    " EXISTS (SELECT FROM log.leadlog_events)"
)
FINISHED = "demo"
FINISH = "INSERT INTO log.company (name, value) VALUES (%s, %s)"


@app.command()
def demo(
    *,
    leads: Annotated[int, typer.Option(min=1, max=200_000, help="How many leads.")] = 5_000,
    seed: Annotated[int, typer.Option(help="The same seed, the same company.")] = 1,
    months: Annotated[int, typer.Option(min=1, max=60, help="Months up to now.")] = 6,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Fill and stop.")] = False,
    port: Annotated[int | None, typer.Option(help="Default: LEADLOG_PORT, 8000.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Fill a database with a simulated company through the real commands, then serve it.

    A database that is filled already is only served.
    """
    settings = Settings.load(database=database, port=port)
    if settings.database is None:
        settings = settings.model_copy(update={"data_dir": settings.data_dir / "demo"})
    with open_database(settings) as handle:
        if not _is_filled(handle.dsn):
            _fill(settings, handle, leads, seed, timedelta(days=months * DAYS_PER_MONTH))
        catch_up(handle.dsn)
        first_administrator(handle.dsn, settings.data_dir)
        _show_reports(handle.dsn, settings)
        if no_serve:
            return
        from adapters.cli.service import run_service  # noqa: PLC0415 - slow to import

        _show_what_to_try(settings, handle)
        run_service(settings, handle)


def _is_filled(dsn: str) -> bool:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(STATE, (FINISHED,)).fetchone()
    assert row is not None
    finished, events = row
    if events and not finished:
        raise Failed(
            "this database has events that no finished demo made:"
            " give --database an empty one, or remove the demo's data directory"
        )
    return finished is not None


def _fill(settings: Settings, handle: Database, leads: int, seed: int, length: timedelta) -> None:
    company = open_company(handle.dsn, settings, clock="simulated")
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - WINDOW
    steps = plan(seed, leads, end - length, end, company.zone)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{leads} leads live through {length.days} days", total=len(steps))
        uvloop.run(drive(handle.dsn, company, steps, lambda done: bar.advance(task, done)))
    with psycopg.connect(handle.dsn) as conn:
        conn.execute(FINISH, (FINISHED, f"seed {seed}"))
    typer.echo(f"{leads} leads, {len(steps)} commands", err=True)


def _show_reports(dsn: str, settings: Settings) -> None:
    with connect(dsn) as conn:
        for name, dimension in (("conversion", "source"), ("cycle-time", "industry")):
            params = read(find(name), {"dimension": dimension}, settings.timezone)
            show(reports.run(conn, find(name), params), Format.TABLE)


def _show_what_to_try(settings: Settings, handle: Database) -> None:
    url = f"http://{settings.host}:{settings.port}"
    token = (settings.data_dir / TOKEN_FILE).read_text().strip()
    bearer = f"-H 'Authorization: Bearer {token}'"
    where = (
        f"LEADLOG_DATABASE={shlex.quote(settings.database)}"
        if settings.database
        else f"LEADLOG_DATA_DIR={shlex.quote(str(settings.data_dir))}"
    )
    lead = '{"customer": "A科技有限公司", "phone": "13912345678", "source": "官网注册"}'
    query = (
        "SET ROLE leadlog_analyst; SELECT bucket, cohort_month, leads, converted, rate"
        " FROM report.conversion WHERE dimension = 'source' ORDER BY 1, 2"
    )
    typer.echo(
        f"""
What to try, in another terminal:

  curl -s {bearer} -d '{lead}' {url}/v1/leads
  curl -s {bearer} '{url}/v1/reports/conversion?dimension=source,cohort_month'
  curl -s {bearer} '{url}/v1/reports/conversion/rows/展会咨询/evidence?dimension=source&limit=5'

  {where} .venv/bin/leadlog report cycle-time --dimension owner
  {where} .venv/bin/leadlog report conversion --as-known {_two_months_ago()}

  psql {shlex.quote(handle.dsn)} -c "{query}"
"""
    )


def _two_months_ago() -> str:
    return f"{datetime.now(UTC) - timedelta(days=60):%Y-%m-%d}"
