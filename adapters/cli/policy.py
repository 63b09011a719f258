"""`leadlog policy`: the rules in force, what a file would change, bringing it into force."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened, read_time
from adapters.directory import carry_out, recorded
from adapters.policy_files import UnreadableFile, as_toml, difference, document_of, read_file
from adapters.settings import Settings
from aggregates.policy.activate import policy_id
from aggregates.policy.book import KINDS, as_document
from commands.company.policies import ActivatePolicy, PolicyVersion, in_force, versions
from commands.company.wiring import Subject
from commands.policy_documents import InvalidPolicy, dotted, known_kind, normal

group = typer.Typer(help="The company's rules, in versions.", no_args_is_help=True)
app.add_typer(group, name="policy")

Kind = Annotated[str, typer.Argument(metavar="KIND", help=f"One of: {', '.join(KINDS)}.")]
File = Annotated[Path, typer.Argument(metavar="FILE.toml", help="Rules, as `show` prints them.")]


@group.command()
def show(
    kind: Kind,
    *,
    at: Annotated[str | None, typer.Option(help="Those in force at TIME.")] = None,
    at_position: Annotated[
        int | None, typer.Option(min=0, help="The same by log position.")
    ] = None,
    database: DatabaseOption = None,
) -> None:
    """Print the rules in force as a TOML file that `activate` takes."""
    instant = read_time("--at", at, Settings.load(database=database).timezone)
    shown = in_force(_versions(kind, database), at=instant, position=at_position)
    typer.echo(f"# {kind}, version {shown.version}, SHA-256 {shown.hash}")
    typer.echo(as_toml(normal(kind, shown.document)), nl=False)


@group.command()
def diff(kind: Kind, file: File, database: DatabaseOption = None) -> None:
    """Show what a file would change in the rules in force; nothing when it changes nothing."""
    rules = _read(kind, file)
    now = in_force(_versions(kind, database))
    names = (f"{kind} version {now.version}", str(file))
    changed = difference(normal(kind, now.document), as_document(rules), names)
    if changed:
        typer.echo(changed)


@group.command()
def activate(
    kind: Kind,
    file: File,
    *,
    reason: Annotated[str | None, typer.Option(help="Kept with the version.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Bring a file's rules into force from now on; those in force already change nothing."""
    _read(kind, file)
    with opened(database) as handle:
        command = ActivatePolicy(document=document_of(file), reason=reason)
        try:
            state = carry_out(handle.dsn, command, Subject(kind))
        except InvalidPolicy as error:
            raise _faults(file, error) from None
    typer.echo(f"{kind}: version {state.ref.version} is in force")


@group.command("history")
def history_(kind: Kind, database: DatabaseOption = None) -> None:
    """List the versions, and the log position from which each is in force."""
    for known in _versions(kind, database):
        since = known.activated_at and f"{known.activated_at.astimezone():%Y-%m-%d %H:%M:%S%z}"
        line = f"{known.version}  position {known.position}  {since or 'built in'}"
        typer.echo(f"{line}  {known.hash[:12]}  {known.reason or ''}".rstrip())


def _versions(kind: str, database: str | None) -> list[PolicyVersion]:
    stream = policy_id(known_kind(kind))
    with opened(database) as handle:
        return versions(kind, recorded(handle.dsn, stream))


def _read(kind: str, file: Path) -> Any:
    """A file's rules; otherwise a line per problem."""
    try:
        return read_file(kind, file)
    except UnreadableFile as error:
        raise Failed(str(error)) from None
    except InvalidPolicy as error:
        raise _faults(file, error) from None


def _faults(file: Path, error: InvalidPolicy) -> Failed:
    """What ends the command; all faults but the last are said already."""
    for path, what in error.problems[:-1]:
        typer.echo(_problem(file, path, what), err=True)
    return Failed(_problem(file, *error.problems[-1]))


def _problem(file: Path, path: Iterable[str | int], what: str) -> str:
    where = dotted(path)
    return f"{file}: {where}: {what}" if where else f"{file}: {what}"
