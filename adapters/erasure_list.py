"""The list of erasures, in a file outside the database: a backup that is older than an erasure
brings the erased values back, and this list takes them away again at the next start.

One JSON object a line: the lead, when, why and by whom it was erased. Keep the file apart from the
backups of the database; several databases may share it.
"""

import asyncio
import fcntl
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import class_row

from adapters.company import open_company
from adapters.settings import PREFIX, Settings, StartupError
from commands.caller import Caller

SETTING = f"{PREFIX}ERASURE_LIST"
CALLER = Caller("process:erasure-list")
ERASED = (
    "SELECT x.stream AS lead, x.erased_at, e.state ->> 'reason' AS reason, e.state ->> 'by' AS by"
    " FROM privacy.erasures x JOIN LATERAL (SELECT convert_from(r.state, 'UTF8')::jsonb AS state"
    "  FROM log.leadlog_events r WHERE r.notification_id = x.position) e ON true"
    " ORDER BY x.position"
)
# Those of the listed leads that are in the log as if they had never been erased.
BACK = (
    "SELECT l.id FROM unnest(%s::uuid[]) l (id)"
    " WHERE EXISTS (SELECT FROM log.leadlog_events e WHERE e.originator_id = l.id)"
    " AND NOT EXISTS (SELECT FROM privacy.erasures x WHERE x.stream = l.id)"
)


class Erasure(msgspec.Struct, frozen=True):
    """A line of the list."""

    lead: UUID
    erased_at: datetime
    reason: str
    by: str | None = None


def note_erasures(dsn: str, settings: Settings) -> None:
    """Put those erasures of a database into the list that are not in it yet, durably."""
    with psycopg.connect(dsn) as conn:
        made = conn.cursor(row_factory=class_row(Erasure)).execute(ERASED).fetchall()
    if made:
        _add(settings.erasure_list_path, made)


def erase_again(dsn: str, settings: Settings) -> None:
    """Erase what a restored backup has brought back, and note what the list does not know yet."""
    listed = {erasure.lead: erasure for erasure in _read(settings.erasure_list_path)}
    with psycopg.connect(dsn) as conn:
        back = [lead for (lead,) in conn.execute(BACK, (list(listed),))]
    if back:
        asyncio.run(_erase(dsn, settings, [listed[lead] for lead in back]))
    note_erasures(dsn, settings)


async def _erase(dsn: str, settings: Settings, erasures: Sequence[Erasure]) -> None:
    from adapters.write_side import open_write_side  # noqa: PLC0415 - slow, and seldom needed
    from commands.lead.privacy import EraseAgain  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        own = open_write_side(dsn, open_company(dsn, settings), stack)
        for one in erasures:
            command = EraseAgain(reason=one.reason, first_erased_at=one.erased_at)
            await own.commands.execute(
                command, lead=one.lead, caller=CALLER, key=f"{one.lead}/{one.erased_at.isoformat()}"
            )


def _read(path: Path) -> Sequence[Erasure]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StartupError(f"{SETTING}: {path} cannot be read: {error.strerror}") from None
    return [_erasure(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line]


def _erasure(line: bytes, where: str) -> Erasure:
    try:
        return msgspec.json.decode(line, type=Erasure)
    except msgspec.MsgspecError as error:
        raise StartupError(f"{SETTING}: {where} is no erasure: {error}") from None


def _add(path: Path, made: Sequence[Erasure]) -> None:
    """Processes take turns; what is in the file already stays as it is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content: Any = file.read()
            known = {_erasure(line, str(path)).lead for line in content.splitlines() if line}
            if new := [erasure for erasure in made if erasure.lead not in known]:
                start = b"" if not content or content.endswith(b"\n") else b"\n"
                lines = b"".join(msgspec.json.encode(erasure) + b"\n" for erasure in new)
                file.write(start + lines)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise StartupError(f"{SETTING}: {path} cannot be written: {error.strerror}") from None
