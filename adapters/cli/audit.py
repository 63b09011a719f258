"""`leadlog audit replay`: what happened to a lead, step by step."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened, read_time
from adapters.cli.replay import show_json, show_text
from adapters.postgres.audit import history
from adapters.postgres.lead_queries import known as codes
from adapters.postgres.lead_refs import find_lead
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.settings import Settings
from aggregates.directory.scope import EVERYTHING
from aggregates.lead.replay import Told, known, named, replay
from aggregates.lead.wording import Others

group = typer.Typer(help="The log as an auditor reads it.", no_args_is_help=True)
app.add_typer(group, name="audit")


class Format(StrEnum):
    """How a replay is printed."""

    TEXT = "text"
    JSON = "json"


@group.command("replay")
def replay_(
    lead: Annotated[str, typer.Argument(help="UUID, lead code, or SOURCE/ID of an import.")],
    *,
    as_of: Annotated[str | None, typer.Option(help="Facts that happened before TIME.")] = None,
    as_known: Annotated[str | None, typer.Option(help="What was recorded by TIME.")] = None,
    output: Annotated[Format, typer.Option("--format")] = Format.TEXT,
    database: DatabaseOption = None,
) -> None:
    """Step through a lead: what each event says and changed, by which rules, by whom and when."""
    zone = Settings.load(database=database).timezone
    until = read_time("--as-of", as_of, zone), read_time("--as-known", as_known, zone)
    stream, told, others = _history(lead, database)
    steps = list(replay(stream, list(known(told, *until)), ZoneInfo(zone), others))
    if not steps:
        raise Failed(f"nothing of {lead} had happened, or was known, by then")
    show = show_json if output is Format.JSON else show_text
    show(steps, ZoneInfo(zone))


def _history(lead: str, database: str | None) -> tuple[UUID, Sequence[Told], Others]:
    """The lead, its history, and the other leads in it with their codes."""
    with opened(database) as handle:
        catch_up(handle.dsn, ["leads"])
        with connect(handle.dsn) as conn:
            stream = find_lead(conn, lead)
            told = history(conn, stream)[1] if stream else []
            others = codes(conn, sorted(named(told)), EVERYTHING)
    if stream is None or not told:
        raise Failed(f"no lead is called {lead}")
    return stream, told, others
