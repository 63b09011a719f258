"""`leadlog projections`: where the read models stand, rebuilding them, proving them right."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Sheet

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened
from adapters.postgres import fed, log_reader
from adapters.postgres.builds import live_builds
from adapters.postgres.parking import parked_counts, retry
from adapters.postgres.rebuild import rebuild, roll_back
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import Connection, connect
from adapters.postgres.verify import table_hash, verify
from adapters.postgres.worker import is_leased
from projections.base import Projection
from projections.catalogue import PROJECTIONS

group = typer.Typer(help="Read models: position, lag, rebuild, verification.", no_args_is_help=True)
app.add_typer(group, name="projections")

NameArgument = Annotated[str, typer.Argument(help=f"One of: {', '.join(PROJECTIONS)}.")]


@group.command("list")
def list_(database: DatabaseOption = None) -> None:
    """Show each projection's position, lag behind the log's end, parked events and hash.

    Those that no worker looks after are brought up to the log's end first. In a database that is
    fed from Kafka the lag is in messages of the topic, as a worker saw it last.
    """
    sheet = Sheet("projection", "generation", "position", "lag", "parked", "hash")
    with opened(database, may_be_fed=True) as handle, connect(handle.dsn) as conn:
        is_fed = fed.fed_from(conn) is not None
        if not is_fed:
            catch_up(handle.dsn, [name for name in PROJECTIONS if not is_leased(conn, name)])
        end, parked = log_reader.head(conn), parked_counts(conn)
        for name, build in live_builds(conn).items():
            waiting = parked.get((name, build.generation), 0)
            digest = table_hash(conn, name, build.schema)
            lag = fed.lag(conn) if is_fed else end - build.position
            cells = (build.generation, build.position, lag, waiting, digest)
            sheet.add_row(name, *map(str, cells))
    Console(width=None if Console().is_terminal else 120).print(sheet)


@group.command("rebuild")
def rebuild_(
    name: Annotated[str | None, typer.Argument(help="A projection; or use --all.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Rebuild every projection.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Build a projection anew beside the live one, then swap. The old one stays for a rollback.

    A database that is fed from Kafka is emptied, all of it, and reads the topic from its beginning.
    """
    if everything == bool(name):
        raise typer.BadParameter("name one projection, or give --all")
    with opened(database, may_be_fed=True) as handle, connect(handle.dsn) as conn:
        if everything and fed.fed_from(conn):
            fed.begin_anew(conn)
            typer.echo("all tables are empty: a worker fills them from the topic's beginning")
            return
        _require_log(conn)
        for projection in _chosen(name):
            build = rebuild(conn, projection)
            typer.echo(f"{build.name}: generation {build.generation} at position {build.position}")


@group.command("rollback")
def rollback_(name: NameArgument, database: DatabaseOption = None) -> None:
    """Make the build before the live one live again."""
    with opened(database, may_be_fed=True) as handle, connect(handle.dsn) as conn:
        _require_log(conn)
        (projection,) = _chosen(name)
        build = roll_back(conn, projection)
        if build is None:
            raise Failed(f"{name} has no earlier build of this version: rebuild it instead")
        typer.echo(f"{build.name}: generation {build.generation} at position {build.position}")


@group.command("verify")
def verify_(
    name: Annotated[str | None, typer.Argument(help="A projection; default: all.")] = None,
    database: DatabaseOption = None,
) -> None:
    """Compare the live tables with a fold of the log made anew; exit 1 if a row differs."""
    with opened(database, may_be_fed=True) as handle, connect(handle.dsn) as conn:
        _require_log(conn)
        catch_up(handle.dsn, [name] if name else None)
        verdicts = [v for projection in _chosen(name) for v in verify(conn, projection)]
    for v in verdicts:
        state = "equal" if v.equal else f"{v.unexpected} unexpected, {v.missing} missing rows"
        typer.echo(f"{v.projection}.{v.table} at position {v.position}: {state}")
    if not all(v.equal for v in verdicts):
        raise Failed("a read table is not the fold of the log: run `leadlog projections rebuild`")


@group.command("retry")
def retry_(name: NameArgument, database: DatabaseOption = None) -> None:
    """Fold the parked events of a projection again, in order; exit 1 if some still fail."""
    with opened(database, may_be_fed=True) as handle, connect(handle.dsn) as conn:
        _require_log(conn)
        (projection,) = _chosen(name)
        folded, left = retry(conn, projection)
    typer.echo(f"{name}: {folded} events folded, {left} still parked")
    if left:
        raise Failed(f"{left} events of {name} are still parked: see projection.parked")


def _require_log(conn: Connection) -> None:
    """Refuse what folds events of the log where that is elsewhere."""
    if topic := fed.fed_from(conn):
        raise Failed(
            f"the log is not in this database, which is fed from {topic}: compare the hashes of"
            " `projections list` with the log's database, or `projections rebuild --all`"
        )


def _chosen(name: str | None) -> Iterable[Projection]:
    """One projection or all; the name must exist."""
    if name is None:
        return PROJECTIONS.values()
    if name not in PROJECTIONS:
        raise Failed(f"there is no projection {name}: choose one of {', '.join(PROJECTIONS)}")
    return [PROJECTIONS[name]]
