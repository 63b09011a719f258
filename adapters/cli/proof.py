"""`leadlog audit verify`, `checkpoint` and `export`: what proves that the log is whole."""

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from adapters.cli import Failed
from adapters.cli.audit import group
from adapters.cli.options import DatabaseOption, opened
from adapters.event_leaf import StoredEvent
from adapters.key_file import KeyFile
from adapters.lead_export import (
    EPOCH,
    FORMAT,
    MOST_BYTES,
    BadExport,
    Export,
    proven,
    read_keys,
    verify_export,
    write_export,
)
from adapters.postgres import log_reader
from adapters.postgres.checkpointing import ROLE, make_checkpoint, signer_in_use
from adapters.postgres.codec import decode
from adapters.postgres.key_store import lost_keys
from adapters.postgres.lead_refs import find_lead
from adapters.postgres.log_check import Kept, check_log
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import Connection, connect
from adapters.postgres.tile_store import BadTree, origin, prove, public_keys
from adapters.settings import Settings
from adapters.signed_notes import BadNote, Verifier, read_checkpoint
from aggregates.lead.replay import Told, replay
from api.replay_json import step_json

AUDITOR = "leadlog_auditor"
Key = Annotated[
    list[str] | None, typer.Option("--key", help="A verifier key to trust: name+hash+base64.")
]
KeyFiles = Annotated[
    list[Path] | None, typer.Option("--key-file", help="A file with verifier keys, one a line.")
]


@group.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(help="An export to verify, without any database.")
    ] = None,
    *,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="A checkpoint that was kept outside; may be given again."),
    ] = None,
    key: Key = None,
    key_file: KeyFiles = None,
    database: DatabaseOption = None,
) -> None:
    """Check that the log is whole, readable and the one that was signed; or an export FILE."""
    trusted = _trusted(key, key_file)
    if file:
        if against or database:
            raise Failed("an export is verified by itself: leave --against and --database out")
        _verify_file(file, trusted)
        return
    with opened(database) as handle, connect(handle.dsn, AUDITOR, autocommit=True) as conn:
        kept = [_kept(conn, path, trusted) for path in against or ()]
        checked = check_log(conn, kept, trusted)
        lost, lead = lost_keys(conn)
    if checked.fault:
        raise Failed(str(checked.fault))
    if lost:
        raise Failed(
            f"the events are whole, but the keys of {lost} leads are lost, of {lead} first:"
            " put their rows of privacy.keys back from a backup"
        )
    typer.echo(
        f"{checked.events} events: positions and versions without holes, every event readable;"
        f" {checked.covered} covered, {checked.checkpoints} checkpoints agree"
    )
    if trusted is None:
        typer.echo(
            "The keys themselves were NOT checked: they are those of the database. Give the key"
            " that you have from elsewhere with --key."
        )


@group.command()
def checkpoint(database: DatabaseOption = None) -> None:
    """Sign what is new and print the newest checkpoint, a signed note to keep outside."""
    settings = Settings.load(database=database)
    with opened(database) as handle, connect(handle.dsn, ROLE, autocommit=True) as conn:
        try:
            made = make_checkpoint(conn, KeyFile(settings.signing_key_path))
        except BadTree as error:
            raise Failed(str(error)) from None
    if made is None:
        raise Failed("the log has no events yet: there is nothing to sign")
    typer.echo(made.note, nl=False)


@group.command()
def export(
    lead: Annotated[str, typer.Argument(help="UUID, lead code, or SOURCE/ID of an import.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
    database: DatabaseOption = None,
) -> None:
    """Write a lead's history with its proofs into one signed file."""
    settings = Settings.load(database=database)
    keys = KeyFile(settings.signing_key_path)
    with opened(database) as handle:
        data, events = _exported(handle.dsn, lead, keys, settings.zone)
    _write(output, data)
    typer.echo(f"{output}: {events} events; `leadlog audit verify {output} --key VERIFIER` checks")


def _exported(dsn: str, lead: str, keys: KeyFile, zone: ZoneInfo) -> tuple[bytes, int]:
    catch_up(dsn, ["leads"])
    with connect(dsn) as conn:
        stream = find_lead(conn, lead)
    try:
        with connect(dsn, ROLE, autocommit=True) as conn:
            make_checkpoint(conn, keys)
            with conn.transaction():
                conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                found = prove(conn, stream) if stream else None
                if not (stream and found and found.checkpoint and found.events):
                    raise Failed(f"no lead is called {lead}")
                verifiers = tuple(str(k.verifier) for k in public_keys(conn))
                signer, name = signer_in_use(conn, keys), origin(conn)
    except BadTree as error:
        raise Failed(str(error)) from None
    events = tuple(proven(event, proof) for event, proof in found.events)
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    told = _told(stream, [event for event, _ in found.events], zone)
    written = Export(FORMAT, name, stream, now, found.checkpoint.note, verifiers, events, told)
    return write_export(written, signer), len(events)


def _told(lead: UUID, events: Sequence[StoredEvent], zone: ZoneInfo) -> list[dict[str, Any]]:
    """The events step by step for people, without what is personal: no key is looked up."""
    rows = [
        (e.position, e.stream, e.version, EPOCH + timedelta(microseconds=e.recorded_us), *e[4:])
        for e in events
    ]
    told = [
        Told(recorded, event.topic, decode(event.topic, event.state)[1])
        for recorded, event in zip(log_reader.decode(rows), events, strict=True)
    ]
    return [step_json(step, zone) for step in replay(lead, told, zone, {})]


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing."""
    try:
        number, draft = tempfile.mkstemp(prefix=".export-", dir=path.absolute().parent)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
            Path(draft).replace(path)
        finally:
            with suppress(FileNotFoundError):
                Path(draft).unlink()
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None


def _verify_file(path: Path, trusted: Sequence[Verifier] | None) -> None:
    data = _read(path)
    try:
        found, checked = verify_export(data, trusted)
    except BadExport as error:
        raise Failed(f"{path}: {error}") from None
    typer.echo(
        f"{path}: lead {found.lead}, {len(found.events)} events, versions 1 to"
        f" {len(found.events)}, all in the log {checked.origin} of {checked.size} events"
    )
    if trusted is None:
        typer.echo(
            "The key itself was NOT checked: it is the one in the file. Give the key that you have"
            " from elsewhere with --key."
        )


def _kept(conn: Connection, path: Path, trusted: Sequence[Verifier] | None) -> Kept:
    """A checkpoint that was kept in a file."""
    name = origin(conn)
    try:
        keys = trusted or [key.verifier for key in public_keys(conn)]
        found = read_checkpoint(_read(path).decode(), keys)
    except UnicodeDecodeError:
        raise Failed(f"{path}: no signed note") from None
    except BadTree as error:
        raise Failed(error.what) from None
    except BadNote as error:
        raise Failed(f"{path}: {error}") from None
    if found.origin != name:
        raise Failed(f"{path}: it is of the log {found.origin}, this one is {name}")
    return Kept(f"the checkpoint in {path}", found)


def _trusted(keys: Sequence[str] | None, files: Sequence[Path] | None) -> list[Verifier] | None:
    """The keys given; None when none was."""
    if not (keys or files):
        return None
    try:
        found = read_keys([*(keys or ()), *(_read(path).decode() for path in files or ())])
    except (BadNote, UnicodeDecodeError) as error:
        raise Failed(f"--key: {error}") from None
    if not found:
        raise Failed("--key-file: there is no key in it")
    return found


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Failed(f"{path}: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise Failed(f"{path}: it has more than {MOST_BYTES} bytes")
    return data
