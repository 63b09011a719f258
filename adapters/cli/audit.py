"""`leadlog audit`: is the log whole, and what happened to a lead."""

from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened
from adapters.postgres.audit import Step, check_log, replay
from adapters.postgres.lead_refs import find_lead
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect

group = typer.Typer(help="The log as an auditor reads it.", no_args_is_help=True)
app.add_typer(group, name="audit")


class Format(StrEnum):
    """How a replay is printed."""

    TEXT = "text"
    JSON = "json"


@group.command()
def verify(database: DatabaseOption = None) -> None:
    """Check that the log is whole and readable; names the first wrong position."""
    with opened(database) as handle, connect(handle.dsn, "leadlog_auditor") as conn:
        count, fault = check_log(conn)
    if fault:
        raise Failed(f"position {fault.position} {fault.what}")
    typer.echo(f"{count} events: positions and versions without holes, every event readable")


@group.command("replay")
def replay_(
    lead: Annotated[str, typer.Argument(help="UUID, lead code, or SOURCE/ID of an import.")],
    *,
    output: Annotated[Format, typer.Option("--format")] = Format.TEXT,
    database: DatabaseOption = None,
) -> None:
    """Step through a lead: every event, who and when on both axes, what it changed."""
    with opened(database) as handle:
        catch_up(handle.dsn, ["leads"])
        with connect(handle.dsn) as conn:
            stream = find_lead(conn, lead)
            steps = list(replay(conn, stream)) if stream else []
    if not steps:
        raise Failed(f"no lead is called {lead}")
    if output is Format.JSON:
        typer.echo(msgspec.json.encode([_as_json(step) for step in steps]).decode())
        return
    for step in steps:
        typer.echo(_as_text(step))


def _as_text(step: Step) -> str:
    when = f"{step.occurred_at:%Y-%m-%d %H:%M:%S}Z" if step.occurred_at else "time unknown"
    lines = [f"{step.version}. {step.topic}  {when}  by {step.meta.actor}  (#{step.position})"]
    for name, (before, after) in step.changes.items():
        lines.append(f"     {name}: {before} -> {after}")
    return "\n".join(lines)


def _as_json(step: Step) -> dict[str, Any]:
    return {
        "position": step.position,
        "version": step.version,
        "topic": step.topic,
        "occurred_at": step.occurred_at,
        "recorded_at": step.recorded_at,
        "actor": step.meta.actor,
        "command_id": step.meta.command_id,
        "changes": {
            name: {"before": before, "after": after}
            for name, (before, after) in step.changes.items()
        },
    }
