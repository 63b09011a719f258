"""The file with the private keys that sign checkpoints: a line for each, mode 0600.

Several databases may share one file: a line's name is the log's that it signs for. Which of its
keys is in use the database says: a rotation that is cut short leaves a line too many, and no harm.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from adapters.settings import StartupError
from adapters.signed_notes import BadNote, Signer, Verifier


class KeyFile:
    """Every method raises StartupError where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, verifier: Verifier) -> Signer | None:
        """The key to this verifier."""
        return next((s for s in self._read() if s.verifier == verifier), None)

    def newest(self, name: str) -> Signer | None:
        """The last key of this name."""
        return next((s for s in reversed(self._read()) if s.name == name), None)

    def add(self, name: str) -> Signer:
        """A new key, kept before this returns."""
        signer = Signer.generate(name)
        with self._alone():
            self._write([*self._read(), signer])
        return signer

    def get_or_add(self, name: str) -> Signer:
        """The last key of this name, or a new one; the same for all who ask at once."""
        with self._alone():
            signers = self._read()
            for signer in reversed(signers):
                if signer.name == name:
                    return signer
            signer = Signer.generate(name)
            self._write([*signers, signer])
        return signer

    def drop(self, verifier: Verifier) -> None:
        """Forget the key to this verifier."""
        with self._alone():
            self._write([s for s in self._read() if s.verifier != verifier])

    def _read(self) -> list[Signer]:
        try:
            lines = self.path.read_text(encoding="ascii").splitlines()
            return [Signer.read(line) for line in lines if line.strip()]
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError, BadNote) as error:
            raise self._unusable(error) from error

    def _write(self, signers: Iterable[Signer]) -> None:
        """All or nothing, and durable."""
        text = "".join(f"{signer.private_text()}\n" for signer in signers)
        try:
            number, name = tempfile.mkstemp(prefix=".signing-", dir=self.path.parent)  # mode 0600
            try:
                with open(number, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self.path)
            finally:
                with suppress(FileNotFoundError):
                    Path(name).unlink()
            with _directory(self.path.parent) as directory:
                os.fsync(directory)
        except OSError as error:
            raise self._unusable(error) from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, of all processes."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _directory(self.path.parent) as directory:
                fcntl.flock(directory, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StartupError:
        reason = error.strerror if isinstance(error, OSError) else error
        return StartupError(
            f"the signing key {self.path}: {reason}: put the right file there, or name another in"
            " LEADLOG_SIGNING_KEY_FILE"
        )


@contextmanager
def _directory(path: Path) -> Iterator[int]:
    number = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield number
    finally:
        os.close(number)
