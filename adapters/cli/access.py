"""`leadlog users` and `leadlog tokens`: who may call the API."""

import sys
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.table import Table as Sheet

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened
from adapters.people import NewPerson, add, everybody, find
from adapters.tokens import issue, issued, revoke
from aggregates.directory.register import ROLES

users = typer.Typer(help="People with a role.", no_args_is_help=True)
tokens = typer.Typer(help="Secrets that let a person call the API.", no_args_is_help=True)
app.add_typer(users, name="users")
app.add_typer(tokens, name="tokens")

Name = Annotated[str, typer.Option("--name", help="What the token is for, e.g. laptop.")]
User = Annotated[str, typer.Option("--user", help="The person's name.")]


@users.command("add")
def add_user(
    name: Annotated[str, typer.Argument(help="Unique in the company.")],
    *,
    role: Annotated[str, typer.Option(help=f"One of: {', '.join(ROLES)}.")],
    team: Annotated[str | None, typer.Option(help="Their team.")] = None,
    email: Annotated[str | None, typer.Option(help="Where messages go.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Add a person; the same again changes nothing."""
    if not name.strip() or len(name) > 100 or "\0" in name:
        raise typer.BadParameter("a name has 1 to 100 characters")
    with opened(database) as handle:
        entry = add(handle.dsn, NewPerson(name, role, team, email))
    typer.echo(f"{entry.name}: {entry.role}")


@users.command("list")
def list_users(database: DatabaseOption = None) -> None:
    """Show the people with a role, and those whom only imports have named."""
    sheet = Sheet("name", "role", "team", "e-mail")
    with opened(database) as handle, psycopg.connect(handle.dsn) as conn:
        for entry in everybody(conn):
            sheet.add_row(entry.name, entry.role, entry.team, entry.email)
    _print(sheet)


@tokens.command("create")
def create(user: User, name: Name, database: DatabaseOption = None) -> None:
    """Make a token and print it: it is shown this once."""
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        role = find(handle.dsn, user).role
        if role is None:
            raise Failed(f"{user} has no role: run `leadlog users add {user} --role ...` first")
        token = issue(conn, user, role, name)
    if token is None:
        raise Failed(f"{user} has a token named {name}: revoke it or choose another name")
    typer.echo(token)


@tokens.command("revoke")
def revoke_(
    user: User,
    name: Annotated[str | None, typer.Option("--name", help="Which one; default: all.")] = None,
    database: DatabaseOption = None,
) -> None:
    """End a person's token, or all of them; services notice within three seconds."""
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        ended = revoke(conn, user, name)
    if not ended:
        which = f"valid token named {name}" if name else "valid token"
        raise Failed(f"{user} has no {which}: see `leadlog tokens list`")
    typer.echo(f"{user}: {ended} revoked")


@tokens.command("list")
def list_(database: DatabaseOption = None) -> None:
    """Show whose tokens there are, never the tokens."""
    sheet = Sheet("person", "role", "name", "created", "revoked")
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        for token in issued(conn):
            revoked = f"{token.revoked_at:%Y-%m-%d %H:%M}" if token.revoked_at else ""
            created = f"{token.created_at:%Y-%m-%d %H:%M}"
            sheet.add_row(token.person, token.role, token.name, created, revoked)
    _print(sheet)


def _print(sheet: Sheet) -> None:
    width = None if sys.stdout.isatty() else 200
    Console(width=width, markup=False, highlight=False).print(sheet)
