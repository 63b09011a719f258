"""The file with the private keys that sign checkpoints, mode 0600, and with what they signed last.

A line `PRIVATE+KEY+...` is a key, named after the log that it signs for; retired keys stay, for a
database that is restored to before their rotation. Which key is in use the database says: a
rotation that is cut short leaves a line too many, and no harm. A line `signed NAME SIZE ROOT` is
the newest checkpoint of a log: whoever rewrites the database does not reach it here.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import fsync
from pathlib import Path
from typing import NamedTuple

from adapters import secret_file
from adapters.settings import StartupError
from adapters.signed_notes import BadNote, Checkpoint, Signer, Verifier

SIGNED = "signed "


class _Contents(NamedTuple):
    """The keys in the order in which they were made, and the newest checkpoint by log."""

    signers: Sequence[Signer]
    signed: Mapping[str, Checkpoint]


class KeyFile:
    """Every method raises StartupError where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, verifier: Verifier) -> Signer | None:
        """The key to this verifier."""
        return next((s for s in self._read().signers if s.verifier == verifier), None)

    def add(self, name: str) -> Signer:
        """A new key, kept before this returns."""
        signer = Signer.generate(name)
        with self._changing() as (signers, signed):
            self._write([*signers, signer], signed)
        return signer

    def get_or_add(self, name: str) -> Signer:
        """The last key of this name, or a new one; the same for all who ask at once."""
        with self._changing() as (signers, signed):
            for signer in reversed(signers):
                if signer.name == name:
                    return signer
            signer = Signer.generate(name)
            self._write([*signers, signer], signed)
        return signer

    def signed(self, name: str) -> Checkpoint | None:
        """What was signed last for the log of this name."""
        return self._read().signed.get(name)

    def record(self, checkpoint: Checkpoint) -> None:
        """Keep what is signed now; durable before this returns."""
        with self._changing() as (signers, signed):
            self._write(signers, {**signed, checkpoint.origin: checkpoint})

    def forget(self, name: str) -> None:
        """The log of this name begins anew: nothing was signed for it."""
        with self._changing() as (signers, signed):
            self._write(signers, {n: c for n, c in signed.items() if n != name})

    def _read(self) -> _Contents:
        signers: list[Signer] = []
        signed: dict[str, Checkpoint] = {}
        try:
            lines = self.path.read_text(encoding="ascii").splitlines()
            secret_file.warn_of_readers(self.path)
            for line in filter(str.strip, lines):
                if line.startswith(SIGNED):
                    checkpoint = _checkpoint(line)
                    signed[checkpoint.origin] = checkpoint
                else:
                    signers.append(Signer.read(line))
        except FileNotFoundError:
            return _Contents([], {})
        except (OSError, UnicodeDecodeError, BadNote) as error:
            raise self._unusable(error) from error
        return _Contents(signers, signed)

    def _write(self, signers: Sequence[Signer], signed: Mapping[str, Checkpoint]) -> None:
        lines = [signer.private_text() for signer in signers]
        lines += [SIGNED + c.text.strip().replace("\n", " ") for c in signed.values()]
        secret_file.replace(self.path.resolve(), "".join(f"{line}\n" for line in lines))

    @contextmanager
    def _changing(self) -> Iterator[_Contents]:
        """One writer at a time, of all processes; durable at the end."""
        directory = self.path.resolve().parent  # a link stays one
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with secret_file.alone(directory) as number:
                yield self._read()
                fsync(number)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> StartupError:
        reason = error.strerror if isinstance(error, OSError) else error
        return StartupError(
            f"the signing key {self.path}: {reason}: put the right file there, writable for whoever"
            " signs, or name another in LEADLOG_SIGNING_KEY_FILE"
        )


def _checkpoint(line: str) -> Checkpoint:
    return Checkpoint.read(line.removeprefix(SIGNED).replace(" ", "\n") + "\n")
