"""The list of erasures, in a file outside the database: a backup that is older than an erasure
brings the erased values back, and this list takes them away again at the next start.

One JSON object a line: the log, the lead, when, why and by whom it was erased. Keep the file apart
from the backups of the database. Several databases may share it, for each log has an origin of its
own; a copy that goes on by itself, as for tests, has the origin of the original and needs a list of
its own.
"""

import asyncio
import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from io import FileIO
from pathlib import Path
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import class_row

from adapters.company import open_company
from adapters.settings import PREFIX, Settings, StartupError
from commands.caller import Caller

logger = logging.getLogger("leadlog.erasures")

SETTING = f"{PREFIX}ERASURE_LIST"
CALLER = Caller("process:erasure-list")
# Of one lead, or of all. What was erased again is listed as it was erased first.
ERASED = (
    "SELECT o.value AS log, x.stream AS lead, e.state ->> 'reason' AS reason,"
    " coalesce((e.state ->> 'first_erased_at')::timestamptz, x.erased_at) AS erased_at,"
    " coalesce(e.state ->> 'first_erased_by', e.state ->> 'by') AS by"
    " FROM privacy.erasures x JOIN log.company o ON o.name = 'origin' JOIN LATERAL"
    " (SELECT convert_from(r.state, 'UTF8')::jsonb AS state"
    "  FROM log.leadlog_events r WHERE r.notification_id = x.position) e ON true"
    " WHERE %(lead)s::uuid IS NULL OR x.stream = %(lead)s ORDER BY x.position"
)
# Those of the leads listed for this log that are in it as if they had never been erased.
BACK = (
    "SELECT l.log, l.id FROM unnest(%s::text[], %s::uuid[]) l (log, id)"
    " WHERE l.log = (SELECT value FROM log.company WHERE name = 'origin')"
    " AND EXISTS (SELECT FROM log.leadlog_events e WHERE e.originator_id = l.id)"
    " AND NOT EXISTS (SELECT FROM privacy.erasures x WHERE x.stream = l.id)"
)


class Erasure(msgspec.Struct, frozen=True):
    """A line of the list; `log` = the origin of the log that the lead is in."""

    log: str
    lead: UUID
    erased_at: datetime
    reason: str
    by: str | None = None

    @property
    def key(self) -> tuple[str, UUID]:
        """Which lead it is: imports of one source give leads the same id in every log."""
        return self.log, self.lead


def note_erasure(dsn: str, settings: Settings, lead: UUID) -> None:
    """Put the erasure of a lead into the list, durably. Raises StartupError."""
    _note(dsn, settings, lead)


def erase_again(dsn: str, settings: Settings) -> None:
    """Erase what a restored backup has brought back, and note what the list does not know yet.

    At every start of what works on the log for long. Raises StartupError where the list cannot be
    read or written: an erasure could not be kept.
    """
    listed = {erasure.key: erasure for erasure in _read(settings.erasure_list_path)}
    with psycopg.connect(dsn) as conn:
        logs, leads = [log for log, _ in listed], [lead for _, lead in listed]
        back = conn.execute(BACK, (logs, leads)).fetchall()
    if back:
        asyncio.run(_erase(dsn, settings, [listed[log, lead] for log, lead in back]))
    _note(dsn, settings, None)


def _note(dsn: str, settings: Settings, lead: UUID | None) -> None:
    with psycopg.connect(dsn) as conn:
        cursor = conn.cursor(row_factory=class_row(Erasure))
        made = cursor.execute(ERASED, {"lead": lead}).fetchall()
    _add(settings.erasure_list_path, made)


async def _erase(dsn: str, settings: Settings, erasures: Sequence[Erasure]) -> None:
    from adapters.write_side import open_write_side  # noqa: PLC0415 - slow, and seldom needed
    from commands.lead.privacy import EraseAgain  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        own = open_write_side(dsn, open_company(dsn, settings), stack)
        for one in erasures:
            command = EraseAgain(
                reason=one.reason, first_erased_at=one.erased_at, first_erased_by=one.by
            )
            await own.commands.execute(
                command, lead=one.lead, caller=CALLER, key=f"{one.lead}/{one.erased_at.isoformat()}"
            )


def _read(path: Path) -> Sequence[Erasure]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StartupError(f"{SETTING}: {path} cannot be read: {error.strerror}") from None
    return list(_erasures(content[: _whole(content)], path))


def _erasures(content: bytes, path: Path) -> Iterator[Erasure]:
    for number, line in enumerate(content.split(b"\n"), 1):
        if line:
            try:
                yield msgspec.json.decode(line, type=Erasure)
            except msgspec.MsgspecError as error:
                raise StartupError(
                    f"{SETTING}: {path}:{number} is no erasure: {error}. Put a copy of the list in"
                    f" its place; without one remove line {number}"
                ) from None


def _whole(content: bytes) -> int:
    """How long the list is without a last line whose writing was cut short. Whoever wrote that one
    has recorded the erasure, and it is noted again.
    """
    start = content.rfind(b"\n") + 1
    try:
        if content[start:]:
            msgspec.json.decode(content[start:], type=Erasure)
    except msgspec.MsgspecError:
        return start
    return len(content)


def _add(path: Path, made: Sequence[Erasure]) -> None:
    """Processes take turns; what is in the file already stays as it is. Also without anything to
    add the file is opened, so that one that cannot be written is found before it is needed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb+", 0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            content = file.readall()
            whole = _whole(content)
            if whole < len(content):
                logger.warning("%s: its last line was cut short and is left out", path)
                file.truncate(whole)
            known = {erasure.key for erasure in _erasures(content[:whole], path)}
            if new := [erasure for erasure in made if erasure.key not in known]:
                ended = not whole or content[whole - 1 : whole] == b"\n"
                _append(file, whole, b"\n" * (not ended) + b"".join(map(_line, new)))
        if not content:
            _keep_entry(path.parent)
    except OSError as error:
        raise StartupError(f"{SETTING}: {path} cannot be written: {error.strerror}") from None


def _line(erasure: Erasure) -> bytes:
    return msgspec.json.encode(erasure) + b"\n"


def _append(file: FileIO, end: int, lines: bytes) -> None:
    """All of the lines, durably, or none."""
    try:
        file.seek(end)
        while lines:
            lines = lines[file.write(lines) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(end)
        raise


def _keep_entry(directory: Path) -> None:
    """A new file's name is durable only with its directory."""
    number = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
