"""Signed notes (C2SP signed-note) with Ed25519, and checkpoints of a log (C2SP tlog-checkpoint).

Keys are written as Go's golang.org/x/mod/sumdb/note writes them: `name+hash+base64` verifies,
`PRIVATE+KEY+name+hash+base64` signs. Whatever cannot be read or does not verify is a BadNote.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from adapters.merkle import HASH_BYTES

PRIVATE = "PRIVATE+KEY+"
ED25519 = b"\x01"
"""The algorithm, in front of a key's bytes."""
MOST_BYTES = 1_000_000
"""As much as Go's verifier reads of a note."""

_NAME = re.compile(r"[^\s+]+")
_KEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)")
_SIGNATURE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/]+=*)")


class BadNote(Exception):  # noqa: N818 - a verdict, not a defect
    """A note or key that cannot be read, or a signature that is wrong; one line."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key under a name."""

    name: str
    key: bytes
    """The 32 bytes of Ed25519."""

    @property
    def hash(self) -> bytes:
        """The 4 bytes by which a signature names its key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.hash.hex()}+{b64encode(ED25519 + self.key).decode()}"

    @classmethod
    def read(cls, text: str) -> Self:
        """The verifier of a line `name+hash+base64`."""
        name, said, key = _read_key(text, "verifier key")
        verifier = cls(name, key)
        if verifier.hash.hex() != said:
            raise BadNote("the verifier key is damaged: its hash is another one")
        return verifier

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature over the message was made with the private key to this one."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key under a name."""

    name: str
    key: Ed25519PrivateKey

    @classmethod
    def generate(cls, name: str) -> Self:
        """A new key."""
        assert _NAME.fullmatch(name), "the name of a key has neither spaces nor +"
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, text: str) -> Self:
        """The signer of a line `PRIVATE+KEY+name+hash+base64`."""
        if not text.startswith(PRIVATE):
            raise BadNote(f"no signing key: it begins with {PRIVATE}")
        name, said, seed = _read_key(text.removeprefix(PRIVATE), "signing key")
        signer = cls(name, Ed25519PrivateKey.from_private_bytes(seed))
        if signer.verifier.hash.hex() != said:
            raise BadNote("the signing key is damaged: its hash is another one")
        return signer

    @property
    def verifier(self) -> Verifier:
        """The public key."""
        return Verifier(self.name, self.key.public_key().public_bytes_raw())

    def private_text(self) -> str:
        """The line that `read` takes. It is the secret."""
        seed = b64encode(ED25519 + self.key.private_bytes_raw()).decode()
        return f"{PRIVATE}{self.name}+{self.verifier.hash.hex()}+{seed}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text of whole lines, and who signed it: (name, hash of the key, signature)."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def read(cls, note: str) -> Self:
        """The parts of a note; no signature is checked."""
        text, blank, lines = note.rpartition("\n\n")
        if not blank or not lines.endswith("\n") or len(note.encode()) > MOST_BYTES:
            raise BadNote("no signed note: a text, an empty line, and lines of signatures")
        return cls(text + "\n", tuple(_signature(line) for line in lines[:-1].split("\n")))

    def signed_by(self, verifiers: Iterable[Verifier]) -> list[Verifier]:
        """Those who have signed it. BadNote when one of them has a wrong signature, or none has
        signed.
        """
        known = {(v.name, v.hash): v for v in verifiers}
        found = []
        for name, key, signature in self.signatures:
            if verifier := known.get((name, key)):
                if not verifier.verifies(self.text.encode(), signature):
                    raise BadNote(f"the signature of {name}+{key.hex()} is wrong")
                found.append(verifier)
        if not found:
            raise BadNote("it is signed with none of the keys given")
        return found


def sign(text: str, signers: Collection[Signer]) -> str:
    """The note that these have signed; `text` is whole lines."""
    assert signers, "somebody signs"
    assert text.endswith("\n"), "whole lines"
    lines = [
        f"— {s.name} {b64encode(s.verifier.hash + s.key.sign(text.encode())).decode()}\n"
        for s in signers
    ]
    return f"{text}\n{''.join(lines)}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree at a size: which log, how many leaves, the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed (C2SP tlog-checkpoint)."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def read(cls, text: str) -> Self:
        """The checkpoint of a note's text; lines behind the third are extensions."""
        lines = text.split("\n")
        if len(lines) < 4 or not lines[0] or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
            raise BadNote("no checkpoint: an origin, a size and a root, each on a line")
        root = from_base64(lines[2])
        if len(root) != HASH_BYTES:
            raise BadNote("no checkpoint: its root is no SHA-256")
        return cls(lines[0], int(lines[1]), root)


def read_checkpoint(text: str, verifiers: Iterable[Verifier]) -> Checkpoint:
    """The checkpoint of a note that one of these has signed. BadNote otherwise."""
    note = Note.read(text)
    note.signed_by(verifiers)
    return Checkpoint.read(note.text)


def from_base64(text: str) -> bytes:
    """The bytes; BadNote where it is no base64."""
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadNote("what should be base64 is not") from None


def _read_key(text: str, what: str) -> tuple[str, str, bytes]:
    found = _KEY.fullmatch(text.strip())
    if not found:
        raise BadNote(f"no {what}: it reads name+hash+base64")
    key = from_base64(found[3])
    if len(key) != 33 or key[:1] != ED25519:
        raise BadNote(f"no {what} of Ed25519")
    return found[1], found[2], key[1:]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    found = _SIGNATURE.fullmatch(line)
    raw = from_base64(found[2]) if found else b""
    if not found or len(raw) < 5:
        raise BadNote("no signed note: a line that should be a signature is none")
    return found[1], raw[:4], raw[4:]
