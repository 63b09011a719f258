"""`leadlog audit`: is the log whole, and what happened to a lead."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import typer

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened
from adapters.postgres.audit import Step, check_log, replay
from adapters.postgres.lead_refs import find_lead
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.settings import Settings
from aggregates.values import local_time

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
    """Step through a lead: every event, who and when on both axes, what it changed and says."""
    with opened(database) as handle:
        catch_up(handle.dsn, ["leads"])
        with connect(handle.dsn) as conn:
            stream = find_lead(conn, lead)
            steps = list(replay(conn, stream)) if stream else []
    if not steps:
        raise Failed(f"no lead is called {lead}")
    zone = ZoneInfo(Settings.load(database=database).timezone)
    if output is Format.JSON:
        typer.echo(_json([_as_json(step, zone) for step in steps]))
        return
    for step in steps:
        typer.echo(_as_text(step, zone))


def _as_text(step: Step, zone: ZoneInfo) -> str:
    """The time of recording stands there where it is another one."""
    recorded = local_time(step.recorded_at, zone)
    when = local_time(step.occurred_at, zone) if step.occurred_at else "time unknown"
    late = "" if when == recorded else f"  recorded {recorded}"
    lines = [
        f"{step.version}. {step.topic}  {when}{late}  by {step.meta.actor}  (#{step.position})"
    ]
    for name, (before, after) in step.changes.items():
        lines.append(f"     {name}: {_in_a_line(before, zone)} -> {_in_a_line(after, zone)}")
    for name, value in step.says.items():
        lines.append(f"     {name} = {_in_a_line(value, zone)}")
    return "\n".join(lines)


def _as_json(step: Step, zone: ZoneInfo) -> Any:
    return _plain(
        {
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
            "says": step.says,
        },
        zone,
    )


def _in_a_line(value: Any, zone: ZoneInfo) -> str:
    plain = _plain(value, zone)
    return _json(plain) if isinstance(plain, dict | list) else str(plain)


def _json(plain: Any) -> str:
    return msgspec.json.encode(plain).decode()


def _plain(value: Any, zone: ZoneInfo) -> Any:
    """The value as JSON has it, times with the company's offset."""
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    built = msgspec.to_builtins(
        value, builtin_types=(datetime,), str_keys=True, order="deterministic"
    )
    if isinstance(built, dict):
        return {name: _plain(inner, zone) for name, inner in built.items()}
    return [_plain(inner, zone) for inner in built] if isinstance(built, list) else built
