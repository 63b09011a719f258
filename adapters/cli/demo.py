"""`leadlog demo`: a simulated company to look at, in a database of its own."""

import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption
from adapters.cli.sheets import Format, show
from adapters.company import open_company
from adapters.database import Database, open_database
from adapters.demo.fill import Demo, fill, find_demo
from adapters.embedded.binaries import candidates
from adapters.people import TOKEN_FILE, first_administrator
from adapters.postgres import reports
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.settings import Settings
from projections.reports.catalogue import find
from projections.reports.params import read

DAYS_PER_MONTH = 30.4


@app.command()
def demo(
    *,
    leads: Annotated[int, typer.Option(min=1, max=200_000, help="How many leads.")] = 5_000,
    seed: Annotated[int, typer.Option(help="The same seed, the same company.")] = 1,
    months: Annotated[int, typer.Option(min=1, max=60, help="Months up to now.")] = 6,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Fill and stop.")] = False,
    kafka: Annotated[bool, typer.Option("--kafka", help="With a broker beside it.")] = False,
    port: Annotated[int | None, typer.Option(min=1, help="Default: LEADLOG_PORT, 8000.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Fill a database with a simulated company through the real commands, then serve it.

    A database that is filled already is only served; one whose filling was interrupted is filled
    to its end first. Both keep their company, whatever the options say.
    """
    settings = Settings.load(database=database, port=port)
    # Never in the company's own directory: its files, such as the administrator's token, stay.
    settings = settings.model_copy(update={"data_dir": settings.data_dir / "demo"})
    length = timedelta(days=months * DAYS_PER_MONTH)
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    with open_database(settings) as handle:
        _fill_once(settings, handle.dsn, Demo(seed, leads, end - length, end))
        catch_up(handle.dsn)
        first_administrator(handle.dsn, settings.data_dir, settings.token_days)
        _show_reports(handle.dsn, settings)
        if no_serve:
            return
        from adapters.cli.service import run_service  # noqa: PLC0415 - slow to import

        with _broker(settings) if kafka else nullcontext(settings) as settings:
            _show_what_to_try(settings, handle)
            run_service(settings, handle)


@contextmanager
def _broker(settings: Settings) -> Iterator[Settings]:
    """Run a broker of Apache Kafka, and give the settings that name it."""
    from adapters.kafka.local import LocalKafka  # noqa: PLC0415 - slow to import

    typer.echo("starting Apache Kafka, which is fetched the first time", err=True)
    with TemporaryDirectory() as place, LocalKafka(Path(place) / "kafka") as kafka:
        os.environ["LEADLOG_KAFKA"] = kafka.bootstrap  # the worker, a process of its own, reads it
        yield settings.model_copy(update={"kafka": (kafka.bootstrap,)})


def _fill_once(settings: Settings, dsn: str, wanted: Demo) -> None:
    found, any_event = find_demo(dsn)
    if any_event and not found:
        raise Failed(
            "this database has events that no demo made: give --database an empty one,"
            " or remove the demo's data directory"
        )
    demo = found or wanted
    if demo.filled:
        typer.echo(f"filled already, with {demo.leads} leads of seed {demo.seed}", err=True)
        return
    if any_event:
        typer.echo("going on where an earlier run was interrupted", err=True)
    company = open_company(dsn, settings, clock="simulated")
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{demo.leads} leads live through {(demo.end - demo.start).days} days")
        fill(
            dsn,
            company,
            demo,
            planned=lambda total: bar.update(task, total=total),
            progress=lambda done: bar.advance(task, done),
        )


def _show_reports(dsn: str, settings: Settings) -> None:
    with connect(dsn) as conn:
        for name, dimension in (("conversion", "source"), ("cycle-time", "industry")):
            params = read(find(name), {"dimension": dimension}, settings.timezone)
            show(reports.run(conn, find(name), params), Format.TABLE)


def _show_what_to_try(settings: Settings, handle: Database) -> None:
    url = f"http://{settings.host}:{settings.port}"
    bearer = f"-H 'Authorization: Bearer {_token(settings)}'"
    where = (
        f"LEADLOG_DATABASE={shlex.quote(settings.database)}"
        if settings.database
        else f"LEADLOG_DATA_DIR={shlex.quote(str(settings.data_dir))}"
    )
    lead = '{"customer": "A科技有限公司", "phone": "13900005678", "source": "官网注册"}'
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

  {_psql()} {shlex.quote(handle.dsn)} -c "{query}"
{_topic(settings)}"""
    )


def _topic(settings: Settings) -> str:
    """How to read the log's topic, where there is one."""
    if not settings.kafka:
        return ""
    where = f"-b {settings.kafka[0]} -t {settings.kafka_topic} -g try -C auto_offset_reset=earliest"
    return f"\n  .venv/bin/python -W ignore -m kafka.consumer {where}\n"


def _token(settings: Settings) -> str:
    """The administrator's, from its file; where that is elsewhere, something to replace."""
    file = settings.data_dir / TOKEN_FILE
    return file.read_text().strip() if file.exists() else "TOKEN"


def _psql() -> str:
    """The installed psql, else the one that came with the embedded PostgreSQL."""
    bundled = (directory / "psql" for directory in candidates())
    return "psql" if shutil.which("psql") else shlex.quote(str(next(bundled, "psql")))


def _two_months_ago() -> str:
    return f"{datetime.now(UTC) - timedelta(days=60):%Y-%m-%d}"
