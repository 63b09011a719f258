"""A lead's history as one signed file, and its verification without database or settings.

The file is a JSON object of two members (docs/reference/proof.md): `export`, and `signature`, a
signed note over the SHA-256 of the bytes of `export` exactly as they stand there. Each event comes
with its stored bytes and the proof that it is in the tree of the signed checkpoint.
"""

import re
from base64 import b64encode
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

import msgspec

from adapters.event_leaf import StoredEvent
from adapters.merkle import BadProof, verify_inclusion
from adapters.signed_notes import (
    BadNote,
    Checkpoint,
    Note,
    Signer,
    Verifier,
    read_checkpoint,
    sign,
)

FORMAT = "leadlog-lead-export/1"
MOST_BYTES = 256 * 2**20
Place = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadExport(Exception):  # noqa: N818 - a verdict, not a defect
    """An export that does not verify; one line."""


class ProvenEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event of an export: the fields of its leaf, and hashes from the leaf to the root."""

    position: Place
    version: Place
    topic: str
    recorded_at: str
    state: bytes
    proof: tuple[bytes, ...]

    def stored(self, stream: UUID) -> StoredEvent:
        """The row of the log."""
        us = microseconds(self.recorded_at)
        return StoredEvent(self.position, stream, self.version, us, self.topic, self.state)


class Export(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed. `steps` is for people and proves nothing of its own."""

    format: str
    origin: str
    lead: UUID
    exported_at: str
    checkpoint: str
    verifiers: tuple[str, ...]
    events: tuple[ProvenEvent, ...]
    steps: Any = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    export: msgspec.Raw
    signature: str


def proven(event: StoredEvent, proof: Sequence[bytes]) -> ProvenEvent:
    """A row of the log with its proof."""
    at = recorded_at(event.recorded_us)
    return ProvenEvent(event.position, event.version, event.topic, at, event.state, tuple(proof))


def write_export(export: Export, signer: Signer) -> bytes:
    """The file."""
    payload = msgspec.json.format(msgspec.json.encode(export), indent=1)
    note = sign(_claim(export.origin, export.lead, payload), [signer])
    quoted = msgspec.json.encode(note)
    return b'{"export": ' + payload + b',\n"signature": ' + quoted + b"}\n"


def verify_export(data: bytes, trusted: Collection[Verifier] | None) -> tuple[Export, Checkpoint]:
    """Check every byte of an export and return it with its checkpoint; BadExport otherwise.

    `trusted` None takes the keys that the file itself names, which then prove nothing about who
    made it.
    """
    try:
        file = msgspec.json.decode(data, type=_File)
        export = msgspec.json.decode(file.export, type=Export)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadExport(f"it is no export of a lead: {error}") from None
    if export.format != FORMAT:
        raise BadExport(f"its format is {export.format}, this program reads {FORMAT}")
    try:
        keys = [Verifier.read(v) for v in export.verifiers] if trusted is None else trusted
        note = Note.read(file.signature)
        note.signed_by(keys)
        if note.text != _claim(export.origin, export.lead, bytes(file.export)):
            raise BadExport("it is not what was signed: its bytes were changed")
        return export, _verify_events(export, keys)
    except BadNote as error:
        raise BadExport(str(error)) from None


def _verify_events(export: Export, keys: Collection[Verifier]) -> Checkpoint:
    """Versions 1..n in ascending positions, each in the tree of the checkpoint."""
    checkpoint = read_checkpoint(export.checkpoint, keys)
    if checkpoint.origin != export.origin:
        raise BadExport(f"its checkpoint is of another log, {checkpoint.origin}")
    if not export.events:
        raise BadExport("it has no events")
    before = 0
    for version, event in enumerate(export.events, 1):
        if event.version != version or event.position <= before:
            raise BadExport(f"version {version} of the lead is missing or out of place")
        before = event.position
        stored = event.stored(export.lead)
        try:
            leaf, index = stored.hash(), event.position - 1
            verify_inclusion(leaf, index, checkpoint.size, event.proof, checkpoint.root)
        except BadProof:
            raise BadExport(f"the event at position {event.position} is not in the log") from None
    return checkpoint


def recorded_at(us: int) -> str:
    """Microseconds since 1970 as RFC 3339 in UTC, with all six digits."""
    return f"{EPOCH + timedelta(microseconds=us):%Y-%m-%dT%H:%M:%S.%f}Z"


def microseconds(text: str) -> int:
    """The same back; BadExport for any other form."""
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", text):
        try:
            return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)
        except ValueError:
            pass
    raise BadExport(f"{text[:40]} is no time such as 2024-05-01T01:15:00.000000Z")


def _claim(origin: str, lead: UUID, payload: bytes) -> str:
    """The text that is signed."""
    digest = b64encode(sha256(payload).digest()).decode()
    return f"{FORMAT}\n{origin}\n{lead}\n{digest}\n"


def read_keys(texts: Collection[str]) -> list[Verifier]:
    """Verifier keys of lines; empty ones and comments (#) count for nothing. BadNote otherwise."""
    lines = (line.strip() for text in texts for line in text.splitlines())
    return [Verifier.read(line) for line in lines if line and not line.startswith("#")]
