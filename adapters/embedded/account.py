"""Who runs the server's programs: PostgreSQL refuses to run as root, so root steps down.

Root becomes the owner of an existing data directory, else user `postgres`, else `nobody`;
everybody else stays who they are. The programs see none of our environment, secrets included.
"""

import os
import pwd
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from adapters.settings import StartupError


@dataclass(frozen=True)
class Account:
    """The user that the server's programs run as and that owns its files."""

    uid: int
    gid: int
    name: str

    @classmethod
    def choose(cls, data: Path) -> Self:
        """The account for a data directory, which need not exist yet."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), str(os.geteuid()))
        if data.exists() and (owner := data.stat()).st_uid != 0:
            return cls(owner.st_uid, owner.st_gid, f"uid {owner.st_uid}")
        for name in ("postgres", "nobody"):
            with suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(entry.pw_uid, entry.pw_gid, name)
        raise StartupError("PostgreSQL cannot run as root: create a user named postgres")

    @property
    def steps_down(self) -> bool:
        """Whether this is somebody else than the user of this process."""
        return self.uid != os.geteuid()

    def own(self, path: Path | int) -> None:
        """Give the file (a path or a descriptor) to the account."""
        if self.steps_down:
            os.chown(path, self.uid, self.gid)

    def make_directory(self, path: Path) -> None:
        """A directory only the account enters, if need be with parents that it can pass."""
        for parent in reversed([parent for parent in path.parents if not parent.exists()]):
            parent.mkdir(exist_ok=True)
            if self.steps_down:
                parent.chmod(0o755)
        path.mkdir(mode=0o700, exist_ok=True)
        self.own(path)

    def reaches(self, path: Path) -> bool:
        """Whether the account may enter the directory or execute the file."""
        return not self.steps_down or self.call(["test", "-x", str(path)]).returncode == 0

    def call(
        self, command: list[str], *, pass_fds: Iterable[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run the program as the account to its end; its output comes back as text."""
        return subprocess.run(
            command,
            user=self.uid if self.steps_down else None,
            group=self.gid if self.steps_down else None,
            extra_groups=[] if self.steps_down else None,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            pass_fds=tuple(pass_fds),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )

    def run(self, *command: str | Path, pass_fds: Iterable[int] = ()) -> None:
        """Like `call`; a failure is a StartupError with the program's last line."""
        done = self.call([str(part) for part in command], pass_fds=pass_fds)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
            raise StartupError(f"{Path(command[0]).name} failed: {said[-1].strip()}")
