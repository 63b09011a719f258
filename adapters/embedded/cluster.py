"""One PostgreSQL server on a directory, shared by all processes that start it there.

The first process creates and starts it, the others join, the last to stop it shuts it down. Any
process may be killed at any moment, the server included: the next start finds its way. Four files
beside `data` carry this, three of them locks that the kernel releases on kill -9:
`start.lock` (one starts or stops at a time), `users.lock` (each user's share), `server.lock` (held
by every process of the server, so that it tells a live server from a stale postmaster.pid whose
number another process has now, even across containers), and `port`.
"""

import atexit
import os
import secrets
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote

from adapters.embedded import binaries
from adapters.embedded.account import Account
from adapters.embedded.initialise import initialise
from adapters.embedded.locks import is_free, locked, take
from adapters.settings import StartupError

PATIENCE = 300.0
"""Seconds: a killed server replays up to 2 GB of its WAL before it answers."""
LAUNCHES = 3
UNSAFE = " ".join(
    f"-c {setting}"
    for setting in (
        *("fsync=off", "synchronous_commit=off", "full_page_writes=off"),
        "dynamic_shared_memory_type=mmap",  # so that a killed server leaves nothing in /dev/shm
    )
)


class _Postmaster(NamedTuple):
    """What postmaster.pid says: true of the live server only while `server.lock` is held."""

    pid: int
    port: int
    status: str


class Cluster:
    """The server on a directory. `unsafe_fast` is for tests: no password, no durability."""

    def __init__(self, root: Path, *, unsafe_fast: bool = False) -> None:
        self.root = root.resolve()
        self.data = self.root / "data"
        self.account = Account.choose(self.data)
        self._unsafe_fast = unsafe_fast
        self._share: int | None = None
        self._process = os.getpid()

    def start(self) -> Self:
        """Create, start or join the server; it answers when this returns. Else StartupError.

        Called again it brings back a server that has been killed.
        """
        try:
            self._prepare()
            with locked(self.root / "start.lock", self.account):
                self._bring_up()
                if self._share is None:
                    self._share = take(self._users, self.account, shared=True)
        except PermissionError as error:
            raise StartupError(f"{error.filename}: belongs to another user") from error
        atexit.unregister(self.stop)
        atexit.register(self.stop)
        return self

    def dsn(self, dbname: str) -> str:
        """A URI for psycopg, psql and BI tools: the superuser over TCP on this machine."""
        password = "" if self._unsafe_fast else ":" + (self.root / "password").read_text()
        port = (self.root / "port").read_text()
        return f"postgresql://postgres{password}@127.0.0.1:{port}/{quote(dbname, safe='')}"

    def stop(self) -> None:
        """Give up this process's share; the last user shuts the server down. Also runs at exit."""
        if self._share is None or os.getpid() != self._process:  # a forked child owns nothing
            return
        atexit.unregister(self.stop)
        with locked(self.root / "start.lock", self.account):
            os.close(self._share)
            self._share = None
            with self._nobody_left() as last:
                if last:
                    self._signal(signal.SIGINT)  # PostgreSQL's fast shutdown
                    self._await_end()

    def kill(self) -> None:
        """SIGKILL to the server and its children at once. For tests, whoever uses it."""
        import psutil  # noqa: PLC0415 - a tool of the tests

        server = self._postmaster()
        if server is None or not self._alive():
            return
        with suppress(psutil.NoSuchProcess):
            postmaster = psutil.Process(server.pid)
            for process in (postmaster, *postmaster.children()):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self._await_end()

    @property
    def _users(self) -> Path:
        return self.root / "users.lock"

    def _prepare(self) -> None:
        self.account.make_directory(self.root)
        if not self.account.reaches(self.root):
            raise StartupError(
                f"user {self.account.name} cannot enter {self.root}: "
                "open its parent directories or choose another LEADLOG_DATA_DIR"
            )

    def _bring_up(self) -> None:
        """Under the start lock: return when the server answers."""
        launches, end = 0, time.monotonic() + PATIENCE
        while not self._answers():
            if time.monotonic() > end:
                raise StartupError(f"PostgreSQL does not answer, see {self.root / 'server.log'}")
            if self._alive():  # starting, recovering, or children of a killed server
                time.sleep(0.02)
            elif launches < LAUNCHES:
                launches += 1
                self._launch()
            else:
                raise StartupError(f"PostgreSQL does not start: {self._last_words()}")

    def _launch(self) -> None:
        programs = binaries.find(self.data).reachable_by(self.account)
        if not self.data.exists():
            self._save("password", secrets.token_urlsafe(24))
            initialise(self.data, programs, self.account, unsafe_fast=self._unsafe_fast)
        self._clear_stale_pid_file()
        options = f"-c listen_addresses=127.0.0.1 -c port={self._choose_port()}"
        options += " -c unix_socket_directories= " + (UNSAFE if self._unsafe_fast else "")
        command = (programs / "pg_ctl", "start", "-W", "-D", self.data)
        with locked(self.root / "server.lock", self.account) as descriptor:
            log = self.root / "server.log"
            self.account.run(*command, "-l", log, "-o", options, pass_fds=[descriptor])

    def _clear_stale_pid_file(self) -> None:
        """No server of ours lives. PostgreSQL would trust the old process number all the same."""
        old = self._postmaster()
        if old and _lives(old.pid) and _listens(old.port):
            raise StartupError(
                f"process {old.pid}, which leadlog did not start, serves {self.data}: stop it, "
                "or delete postmaster.pid there if that process is something else"
            )
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _choose_port(self) -> int:
        """The saved port, so that saved connections stay good, or a new one if it is taken."""
        with suppress(FileNotFoundError):
            saved = int((self.root / "port").read_text())
            if _is_free(saved):
                return saved
        while not _is_free(port := 20_000 + secrets.randbelow(10_000)):  # below the ephemeral ones
            pass
        self._save("port", str(port))
        return port

    def _save(self, name: str, text: str) -> None:
        """A small file of the account's, written whole or not at all."""
        fresh = self.root / f"{name}.new"
        with open(fresh, "w", opener=partial(os.open, mode=0o600)) as file:
            self.account.own(file.fileno())
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # the password exists nowhere else
        fresh.rename(self.root / name)

    def _alive(self) -> bool:
        return not is_free(self.root / "server.lock", self.account)

    def _answers(self) -> bool:
        """Alive, ready by its own word, and listening: a killed server's children do not listen."""
        server = self._postmaster() if self._alive() else None
        return server is not None and server.status == "ready" and _listens(server.port)

    def _postmaster(self) -> _Postmaster | None:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            status = lines[7].strip() if len(lines) > 7 else "starting"
            return _Postmaster(int(lines[0]), int(lines[3]), status)
        except (FileNotFoundError, IndexError, ValueError):  # none, or half written
            return None

    @contextmanager
    def _nobody_left(self) -> Iterator[bool]:
        descriptor = take(self._users, self.account, wait=False)
        yield descriptor is not None
        if descriptor is not None:
            os.close(descriptor)

    def _signal(self, number: signal.Signals) -> None:
        server = self._postmaster()
        if server and self._alive():
            with suppress(ProcessLookupError):
                os.kill(server.pid, number)

    def _await_end(self) -> None:
        end = time.monotonic() + PATIENCE
        while self._alive() and time.monotonic() < end:
            time.sleep(0.01)

    def _last_words(self) -> str:
        with suppress(FileNotFoundError):
            lines = (self.root / "server.log").read_text(errors="replace").splitlines()
            fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
            return (fatal or lines or ["it said nothing"])[-1]
        return "it left no log"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # gone, or somebody else's by now
        return False
    return True


def _listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def _is_free(port: int) -> bool:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
