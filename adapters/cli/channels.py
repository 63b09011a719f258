"""`leadlog channels`: who may enter leads from outside the company (R1)."""

import sys
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.table import Table as Sheet

from adapters import channels as store
from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened

channels = typer.Typer(help="Keys for forms and webhooks of one source.", no_args_is_help=True)
app.add_typer(channels, name="channels")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Unique, e.g. website-form.")]
Source = Annotated[str, typer.Option("--source", help="The source of its leads, e.g. 官网注册.")]
PerMinute = Annotated[int, typer.Option("--per-minute", min=1, help="Submissions a minute.")]


@channels.command("add")
def add(
    name: Name, *, source: Source, per_minute: PerMinute = 60, database: DatabaseOption = None
) -> None:
    """Make a channel and print its key: it is shown this once."""
    for text, what in ((name, "a name"), (source, "a source")):
        if not text.strip() or len(text) > 100 or "\0" in text:
            raise typer.BadParameter(f"{what} has 1 to 100 characters")
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        key = store.add(conn, name, source, per_minute)
    if key is None:
        raise Failed(f"there is a channel named {name}: revoke it or choose another name")
    typer.echo(key)


@channels.command("revoke")
def revoke(name: Name, database: DatabaseOption = None) -> None:
    """End a channel; services notice within three seconds."""
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        if not store.revoke(conn, name):
            raise Failed(f"there is no channel named {name}: see `leadlog channels list`")
    typer.echo(f"{name}: revoked")


@channels.command("list")
def list_(database: DatabaseOption = None) -> None:
    """Show the channels, never their keys."""
    sheet = Sheet("name", "source", "per minute", "created", "revoked")
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        for channel in store.channels(conn):
            revoked = f"{channel.revoked_at:%Y-%m-%d %H:%M}" if channel.revoked_at else ""
            created = f"{channel.created_at:%Y-%m-%d %H:%M}"
            sheet.add_row(channel.name, channel.source, str(channel.per_minute), created, revoked)
    width = None if sys.stdout.isatty() else 200
    Console(width=width, markup=False, highlight=False).print(sheet)
