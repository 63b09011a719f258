"""`leadlog erase`: a lead's personal data, for ever."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened
from adapters.company import open_company
from adapters.database import Database
from adapters.directory import operator
from adapters.erasure_list import note_erasure
from adapters.postgres.lead_refs import find_lead
from adapters.postgres.privacy_queries import erasures
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.settings import Settings
from adapters.write_side import open_write_side
from aggregates.values import local_time
from commands.caller import Caller
from commands.lead.privacy import EraseLead


@app.command()
def erase(
    lead: Annotated[str, typer.Argument(help="UUID, code or SOURCE/ID.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in clear, without contact details.")],
    database: DatabaseOption = None,
) -> None:
    """Erase a lead's personal data for ever, and print what was destroyed."""
    try:
        command = EraseLead(reason=reason)
    except ValidationError as error:
        raise Failed(f"--reason: {error.errors()[0]['msg']}") from None
    settings = Settings.load(database=database)
    with opened(database) as handle:
        catch_up(handle.dsn, ["leads"])
        with connect(handle.dsn) as conn:
            stream = find_lead(conn, lead)
        if stream is None:
            raise Failed(f"there is no lead {lead}: name it by UUID, code or SOURCE/ID")
        asyncio.run(_erase(handle, settings, stream, command))
        note_erasure(handle.dsn, settings, stream)
        catch_up(handle.dsn)
        with connect(handle.dsn) as conn:
            _, (certificate, *_) = erasures(conn, lead=stream)
    _print(certificate, ZoneInfo(settings.timezone))


async def _erase(handle: Database, settings: Settings, lead: UUID, command: EraseLead) -> None:
    async with AsyncExitStack() as stack:
        own = open_write_side(handle.dsn, open_company(handle.dsn, settings), stack)
        await own.commands.execute(command, lead=lead, caller=Caller(operator()))


def _print(certificate: dict[str, Any], zone: ZoneInfo) -> None:
    """Everything that the certificate says, a line each, in local time."""
    table = Table.grid(padding=(0, 2))
    for name, value in certificate.items():
        if name != "reflected":
            table.add_row(name.replace("_", " "), _text(value, zone))
    late = [name for name, done in certificate["reflected"].items() if not done]
    table.add_row("read models", "all have dropped it" if not late else f"not yet: {late}")
    Console(markup=False, highlight=False, width=100).print(table)


def _text(value: Any, zone: ZoneInfo) -> str:
    if isinstance(value, datetime):
        return local_time(value, zone)
    return "" if value is None else str(value)
