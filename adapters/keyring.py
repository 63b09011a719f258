"""The keys of personal data: one for each lead, wrapped by a master key (architecture, section 7).

AES-256-GCM (NIST SP 800-38D) with random nonces of 96 bits throughout. What is sealed is bound to
its place: a value cannot be moved to another event, lead or file unnoticed. A lead's key is
destroyed to erase the lead; a master key is replaced by wrapping the leads' keys anew, and neither
changes an event. A secret of the database itself is wrapped in the same way, under its name.
"""

import secrets
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.master_keys import MasterKeyMissingError, read_master_keys
from adapters.settings import Settings, StartupError

KEY_BYTES, NONCE_BYTES, ID_BYTES = 32, 12, 8
CACHED_KEYS = 10_000


class UnreadableError(ValueError):
    """Sealed bytes are not what this key sealed at this place."""


class LostKeyError(UnreadableError, StartupError):
    """Something of a lead is sealed, its key is not there, and no erasure of it is on record."""

    def __init__(self, lead: UUID) -> None:
        super().__init__(
            f"the key of lead {lead} is lost, and no erasure of it is on record: put its row of"
            " privacy.keys back from a backup"
        )


class LeadKey:
    """Seals and opens what is personal of one lead."""

    __slots__ = ("_aead", "_nonce")

    def __init__(self, secret: bytes, nonce: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._aead, self._nonce = AESGCM(secret), nonce

    def seal(self, place: str, plain: bytes) -> bytes:
        """Nonce, ciphertext and tag, for this place alone."""
        nonce = self._nonce(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, place.encode())

    def open(self, place: str, sealed: bytes) -> bytes:
        """What was sealed at this place. Raises UnreadableError."""
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise UnreadableError(
                f"what is sealed at {place} was altered, or moved there"
            ) from None


class Keyring:
    """Makes and unwraps the keys of leads. `read` gives the master keys, the one in use first; it
    is asked for every new key, and again when a master key is met that is not known yet.
    """

    def __init__(self, read: Callable[[], Sequence[bytes]]) -> None:
        self._read = read
        self._unwrapped = lru_cache(CACHED_KEYS)(self._unwrap)

    def make(self, stream: UUID) -> tuple[LeadKey, bytes]:
        """A new key for a lead, and the same wrapped, which is to be stored."""
        secret = AESGCM.generate_key(8 * KEY_BYTES)
        return LeadKey(secret), self.wrap_secret(_place(stream), secret)

    def unwrap(self, stream: UUID, wrapped: bytes) -> LeadKey:
        """The lead's key. Raises MasterKeyMissingError, or UnreadableError for another lead's."""
        return self._unwrapped(stream, wrapped)

    def rewrap(self, stream: UUID, wrapped: bytes) -> bytes:
        """The same key, wrapped by the master key in use."""
        return self.wrap_secret(_place(stream), self.unwrap_secret(_place(stream), wrapped))

    def wrap_secret(self, name: str, secret: bytes) -> bytes:
        """A secret of this name, wrapped by the master key in use."""
        master = self._read()[0]
        return master_id(master) + LeadKey(master).seal(name, secret)

    def unwrap_secret(self, name: str, wrapped: bytes) -> bytes:
        """The secret. Raises MasterKeyMissingError, or UnreadableError for one of another name."""
        wanted = bytes(wrapped[:ID_BYTES])
        for master in self._read():
            if master_id(master) == wanted:
                return LeadKey(master).open(name, wrapped[ID_BYTES:])
        raise MasterKeyMissingError(wanted.hex())

    def _unwrap(self, stream: UUID, wrapped: bytes) -> LeadKey:
        return LeadKey(self.unwrap_secret(_place(stream), wrapped))


def _place(stream: UUID) -> str:
    return f"key of {stream}"


@cache
def master_id(master: bytes) -> bytes:
    """What a master key is called in the database: nothing can be learned from it."""
    return sha256(b"leadlog master key\n" + master).digest()[:ID_BYTES]


_in_use: dict[str, Keyring] = {}


def use_master_keys(settings: Settings) -> None:
    """Let this process read and write personal values by the master keys of these settings."""
    _in_use["keyring"] = Keyring(lambda: read_master_keys(settings))


def keyring() -> Keyring:
    """The keyring of this process: a master key is the process's, as its environment is. Where no
    database was opened with settings, those of the environment count.
    """
    if not _in_use:
        use_master_keys(Settings.load())
    return _in_use["keyring"]
