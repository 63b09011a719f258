"""`leadlog keys`: the keys that seal personal data and sign checkpoints."""

from pathlib import Path
from typing import Annotated

import psycopg
import typer

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened
from adapters.key_file import KeyFile
from adapters.keyring import keyring, master_id
from adapters.master_keys import add_master_key, read_master_keys
from adapters.postgres.checkpointing import ROLE
from adapters.postgres.checkpointing import rotate as rotate_signing
from adapters.postgres.key_store import is_under_way, ledger_key_under, rewrap_all, wrapped_by
from adapters.postgres.tables import connect
from adapters.postgres.tile_store import BadTree
from adapters.settings import Settings

group = typer.Typer(help="The keys of personal data and of checkpoints.", no_args_is_help=True)
app.add_typer(group, name="keys")


@group.callback()
def _keys() -> None:
    """The keys of personal data and of checkpoints."""


@group.command()
def rotate(
    *,
    signing: Annotated[
        bool, typer.Option("--signing", help="The key that signs checkpoints.")
    ] = False,
    lost: Annotated[
        bool,
        typer.Option(
            "--lost", help="Begin anew: the old signing key, or events it signed, are gone."
        ),
    ] = False,
    database: DatabaseOption = None,
) -> None:
    """Put a new key in the place of the one in use; what the old one did stays valid.

    Without --signing it is the master key: a new one goes in front of those in its file, and every
    lead's key is wrapped by it. No event changes. A rotation that was cut short is finished first,
    without another key; keys from LEADLOG_MASTER_KEY are replaced there by hand before.
    """
    if lost and not signing:
        raise Failed("--lost goes with --signing: a master key that is lost cannot be replaced")
    settings = Settings.load(database=database)
    if signing:
        typer.echo(_rotate_signing(settings, database, lost=lost))
        return
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        if settings.master_key is None and not is_under_way(conn, read_master_keys(settings)):
            add_master_key(settings.master_key_path)
        wrapped = rewrap_all(conn, keyring(), read_master_keys(settings))
    typer.echo(
        f"{wrapped} keys of leads are wrapped by another master key now: keep a copy of it apart"
        " from the backups of the database"
    )


@group.command()
def new(
    file: Annotated[Path, typer.Argument(help="The file; a key goes in front of those in it.")],
) -> None:
    """Make a master key: 32 random bytes in base64, in a file that only its owner can read."""
    add_master_key(file)
    typer.echo(f"{file}: keep a copy apart from the backups of the database")


@group.command("list")
def list_(database: DatabaseOption = None) -> None:
    """Show the master keys that are at hand or wanted, and what each seals."""
    with opened(database) as handle, psycopg.connect(handle.dsn, autocommit=True) as conn:
        wanted, fingerprints = wrapped_by(conn), ledger_key_under(conn)
        held = [master_id(key).hex() for key in read_master_keys(Settings.load(database=database))]
    for name in dict.fromkeys((*held, *wanted, *filter(None, [fingerprints]))):
        where = "at hand" if name in held else "MISSING"
        and_key = ", the key of fingerprints" if name == fingerprints else ""
        typer.echo(f"{name}  {where}  {wanted.get(name, 0)} leads{and_key}")


def _rotate_signing(settings: Settings, database: str | None, *, lost: bool) -> str:
    keys = KeyFile(settings.signing_key_path)
    with opened(database) as handle, connect(handle.dsn, ROLE, autocommit=True) as conn:
        try:
            return str(rotate_signing(conn, keys, lost=lost))
        except BadTree as error:
            raise Failed(str(error)) from None
