"""One PostgreSQL on a directory, shared by all processes that start it there.

The first process creates and starts it, the others join, the last to stop it shuts it down. Any
process may be killed at any moment, the server included: the next start finds its way, because the
kernel frees the locks of the dead. `start.lock` lets one process at a time start or stop,
`users.lock` has a share of each process that uses the server.
"""

import atexit
import os
import secrets
import time
from pathlib import Path
from typing import Self
from urllib.parse import quote

from adapters.embedded import binaries
from adapters.embedded.account import Account
from adapters.embedded.initialise import initialise
from adapters.embedded.locks import locked, take
from adapters.embedded.server import Server
from adapters.settings import StartupError

PATIENCE = 300.0
"""Seconds: a killed server replays up to 2 GB of its write-ahead log before it answers."""
LAUNCHES = 3
"""A port may be lost between choosing and taking it."""


class Cluster:
    """The PostgreSQL of a directory. `unsafe_fast` is for tests: no password, no durability."""

    def __init__(self, root: Path, *, unsafe_fast: bool = False) -> None:
        self._root = root.resolve()
        self._data = self._root / "data"
        self._account = Account.choose(self._data)
        self._server = Server(self._root, self._account, unsafe_fast=unsafe_fast)
        self._unsafe_fast = unsafe_fast
        self._share: int | None = None

    def start(self) -> Self:
        """Create, start or join the server; it answers when this returns. Else StartupError.

        Called again it brings back a server that was killed.
        """
        try:
            self._prepare()
            with locked(self._root / "start.lock", self._account):
                self._bring_up()
                if self._share is None:
                    self._share = take(self._root / "users.lock", self._account, shared=True)
        except OSError as error:
            raise StartupError(
                f"cannot keep the database in {self._root}: {error.strerror}: {error.filename}, "
                "run as the owner or choose another LEADLOG_DATA_DIR"
            ) from error
        atexit.unregister(self.stop)
        atexit.register(self.stop)
        return self

    def dsn(self, dbname: str) -> str:
        """A URI for psycopg, psql and BI tools: the superuser over TCP on this machine."""
        password = "" if self._unsafe_fast else ":" + (self._root / "password").read_text()
        address = f"127.0.0.1:{self._server.port}"
        return f"postgresql://postgres{password}@{address}/{quote(dbname, safe='')}"

    def stop(self) -> None:
        """Give up this process's share; the last user shuts the server down. Also runs at exit.

        A forked child holds on to its parent's share, so that the later of the two is the user.
        """
        if self._share is None:
            return
        atexit.unregister(self.stop)
        if not self._root.exists():  # removed under the server, which will notice
            return
        with locked(self._root / "start.lock", self._account):
            os.close(self._share)
            self._share = None
            last = take(self._root / "users.lock", self._account, wait=False)
            if last is not None:
                self._server.stop(PATIENCE)
                os.close(last)

    def kill(self) -> None:
        """SIGKILL to the server and its children at once, whoever uses it. For tests."""
        self._server.kill()

    def _prepare(self) -> None:
        self._account.make_directory(self._root)
        if not self._account.reaches(self._root):
            raise StartupError(
                f"user {self._account.name} cannot enter {self._root}: "
                "open its parent directories or choose another LEADLOG_DATA_DIR"
            )

    def _bring_up(self) -> None:
        """Under the start lock: return when the server answers."""
        launches, end = 0, time.monotonic() + PATIENCE
        while not self._server.answers():
            if time.monotonic() > end:
                raise StartupError(f"PostgreSQL does not answer, see {self._root / 'server.log'}")
            if self._server.is_alive():  # starting, recovering, or children of a killed server
                time.sleep(0.02)
            elif launches < LAUNCHES:
                launches += 1
                self._launch()
            else:
                raise StartupError(f"PostgreSQL does not start: {self._server.last_words()}")

    def _launch(self) -> None:
        programs = binaries.find(self._data).reachable_by(self._account)
        if not self._data.exists():
            self._server.save("password", secrets.token_urlsafe(24))
            initialise(self._data, programs, self._account, unsafe_fast=self._unsafe_fast)
        self._server.launch(programs)
