"""The master keys, from a file or the environment: 32 random bytes each, in base64, one a line.

The first one wraps, all of them unwrap. Without them nobody reads what is personal: keep a copy
apart from the backups of the database.
"""

import base64
import binascii
import os
import secrets
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from adapters import secret_file
from adapters.settings import PREFIX, Settings, StartupError
from commands.ports import Unavailable

SETTING = f"{PREFIX}MASTER_KEY_FILE"
KEY_BYTES = 32


class MasterKeyError(StartupError, Unavailable):
    """Nothing personal can be read or written as the master keys are: at its start a program ends
    with this, later whoever needs them may try again.
    """


class MasterKeyMissingError(MasterKeyError):
    """What is personal was sealed under a master key that this process does not have."""

    def __init__(self, wanted: str) -> None:
        super().__init__(
            f"personal data is sealed under the master key {wanted}, which {SETTING} does not hold:"
            " add it there, one key a line"
        )


def read_master_keys(settings: Settings) -> Sequence[bytes]:
    """The master keys, the one in use first; a changed file is read again. Or MasterKeyError."""
    if settings.master_key:
        return _parsed(settings.master_key.get_secret_value(), f"{PREFIX}MASTER_KEY")
    path = settings.master_key_path
    try:
        secret_file.warn_of_readers(path)
        return _of_file(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise MasterKeyError(
            f"{SETTING}: there is no {path}: put the master key there"
            " (`leadlog keys new FILE` makes one for a database without leads)"
        ) from None
    except OSError as error:
        raise MasterKeyError(f"{SETTING}: {path} cannot be read: {error.strerror}") from None


def add_master_key(path: Path) -> None:
    """Put a new master key in front of those in a file, which is made if it is not there.

    Durable before it returns, so that nothing is ever sealed under a key that is lost; several who
    add one at once take turns. Owner and mode of the file stay. Raises StartupError.
    """
    _add(path, only_first=False)


def ensure_master_key(settings: Settings) -> None:
    """Make the first master key in its default place, and say so; elsewhere it has to be there."""
    path = settings.master_key_path
    if settings.master_key or settings.master_key_file:
        return
    if _add(path, only_first=True):
        print(
            f"made the master key {path}: keep a copy of it, personal data is lost without it",
            file=sys.stderr,
        )


def _add(path: Path, *, only_first: bool) -> bool:
    """Whether a key was added; with `only_first` none is to a file that is there."""
    path = path.resolve()  # a link stays one
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with secret_file.alone(path.parent) as directory:
            if only_first and path.exists():
                return False
            known = _text_of(path) if path.exists() else ""
            if known.strip():
                _parsed(known, str(path))
            new = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
            secret_file.replace(path, f"{new}\n{known}")
            os.fsync(directory)
    except OSError as error:
        raise StartupError(f"{path} cannot be written: {error.strerror}") from None
    return True


@cache
def _of_file(path: Path, _: int) -> Sequence[bytes]:
    return _parsed(_text_of(path), str(path))


def _text_of(path: Path) -> str:
    """A file of keys as text; what is no text holds no key, and is told so line by line."""
    return path.read_text(encoding="ascii", errors="replace")


def _parsed(text: str, where: str) -> Sequence[bytes]:
    keys = []
    for number, line in enumerate(text.split(), 1):
        try:
            key = base64.b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise MasterKeyError(f"{where}: key {number} is not {KEY_BYTES} bytes in base64")
        keys.append(key)
    if not keys:
        raise MasterKeyError(f"{where}: there is no key in it")
    return keys
