"""`leadlog logins`: which person a login of the database is, for those who read in SQL."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.table import Table as Sheet

from adapters import sql_logins
from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened
from adapters.directory import operator, register

commands = typer.Typer(
    help="Logins of the database that read within a person's scope.", no_args_is_help=True
)
app.add_typer(commands, name="logins")

LoginName = Annotated[str, typer.Argument(metavar="LOGIN", help="A role of PostgreSQL's.")]


@commands.command("add")
def add(
    login: LoginName,
    *,
    user: Annotated[str, typer.Option("--user", help="The person's name.")],
    database: DatabaseOption = None,
) -> None:
    """Let a login read the `member` views as a person; the same again changes nothing."""
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        role = _role(handle.dsn, user)
        sql_logins.give(conn, login, user, operator())
    typer.echo(f"{login}: reads schema member as {user} ({role})")


@commands.command("end")
def end(login: LoginName, database: DatabaseOption = None) -> None:
    """Let a login read nothing any more, in open sessions too; do so before you drop it."""
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        person = sql_logins.end(conn, login, operator())
    if person is None:
        raise Failed(f"{login} is nobody's login: see `leadlog logins list`")
    typer.echo(f"{login}: no longer {person}'s")


@commands.command("list")
def list_(database: DatabaseOption = None) -> None:
    """Show whose logins there are and were."""
    sheet = Sheet("login", "person", "given", "by", "ended", "by")
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        for one in sql_logins.given(conn):
            times = _time(one.given_at), _time(one.ended_at)
            sheet.add_row(one.login, one.person, times[0], one.given_by, times[1], one.ended_by)
    width = None if sys.stdout.isatty() else 200
    Console(width=width, markup=False, highlight=False).print(sheet)


def _role(dsn: str, user: str) -> str:
    """The role of an active person who reads leads; Failed otherwise."""
    person = register(dsn).people.get(user)
    if person is None or person.role is None:
        raise Failed(f"{user} has no role: run `leadlog users add {user} --role ...` first")
    if not person.active:
        raise Failed(f"{user} is inactive: run `leadlog users reactivate {user}` first")
    if person.role == "analyst":
        raise Failed(f"{user} is an analyst, who reads schema report: GRANT leadlog_analyst TO ...")
    return person.role


def _time(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else ""
