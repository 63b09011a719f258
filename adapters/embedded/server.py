"""The server process on a data directory: is it alive, launch it, end it.

Every process of the server inherits the lock on `server.lock`. So a live server is told from a
stale postmaster.pid, whose process number may be another program's by now, also when the server
runs in another container, and a killed server counts as alive until its last child is gone.
"""

import os
import secrets
import signal
import socket
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from adapters.embedded.account import Account
from adapters.embedded.binaries import Binaries
from adapters.embedded.locks import is_free, locked
from adapters.settings import StartupError

PORTS = range(20_000, 30_000)
"""Below the ports that systems hand out to outgoing connections."""
UNSAFE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",  # a killed server leaves nothing in /dev/shm
}


class _Postmaster(NamedTuple):
    """What postmaster.pid says: true of a live server only."""

    pid: int
    port: int
    status: str


class Server:
    """The server of `root/data`. Callers see to it that one process launches at a time."""

    def __init__(self, root: Path, account: Account, *, unsafe_fast: bool) -> None:
        self._root = root
        self._data = root / "data"
        self._account = account
        self._settings = UNSAFE if unsafe_fast else {}

    @property
    def port(self) -> int:
        """The port on 127.0.0.1, kept from start to start as long as nobody else takes it."""
        return int((self._root / "port").read_text())

    def is_alive(self) -> bool:
        """Whether any process of the server exists."""
        return not is_free(self._root / "server.lock", self._account)

    def answers(self) -> bool:
        """Alive, ready by its own word, and listening: a killed one's children do not listen."""
        found = self._postmaster() if self.is_alive() else None
        return found is not None and found.status == "ready" and _listens(found.port)

    def launch(self, programs: Binaries) -> None:
        """Start the server and return at once. It must not be alive."""
        self._clear_stale_pid_file()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._choose_port()),
            "unix_socket_directories": "",
            **self._settings,
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log = self._root / "server.log"
        with locked(self._root / "server.lock", self._account) as descriptor:
            self._account.run(
                *(programs / "pg_ctl", "start", "-W", "-D", self._data, "-l", log, "-o", options),
                pass_fds=[descriptor],
            )

    def stop(self, patience: float) -> None:
        """PostgreSQL's fast shutdown: sessions are ended, everything is written."""
        if (found := self._postmaster()) and self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(found.pid, signal.SIGINT)
            self._await_end(patience)

    def kill(self) -> None:
        """SIGKILL to the server and its children at once. For tests."""
        import psutil  # noqa: PLC0415 - a tool of the tests

        if (found := self._postmaster()) and self.is_alive():
            with suppress(psutil.NoSuchProcess):
                postmaster = psutil.Process(found.pid)
                for process in (postmaster, *postmaster.children()):
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
            self._await_end(patience=60)

    def last_words(self) -> str:
        """The line of its log that tells why it does not run."""
        with suppress(FileNotFoundError):
            lines = (self._root / "server.log").read_text(errors="replace").splitlines()
            fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
            return (fatal or lines or ["it said nothing"])[-1]
        return "it left no log"

    def save(self, name: str, text: str) -> None:
        """A small file beside the data, the account's own, written whole or not at all."""
        fresh = self._root / f"{name}.new"
        with open(fresh, "w", opener=partial(os.open, mode=0o600)) as file:
            self._account.own(file.fileno())
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # the password exists nowhere else
        fresh.rename(self._root / name)

    def _clear_stale_pid_file(self) -> None:
        """PostgreSQL would not start while the number in it belongs to any process of this user."""
        found = self._postmaster()
        if found and _lives(found.pid) and _listens(found.port):
            raise StartupError(
                f"process {found.pid}, which leadlog did not start, serves {self._data}: stop it, "
                "or delete postmaster.pid there if that process is something else"
            )
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _choose_port(self) -> int:
        with suppress(FileNotFoundError):
            if _can_listen(self.port):
                return self.port
        while not _can_listen(port := secrets.choice(PORTS)):
            pass
        self.save("port", str(port))
        return port

    def _postmaster(self) -> _Postmaster | None:
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            status = lines[7].strip() if len(lines) > 7 else "starting"
            return _Postmaster(int(lines[0]), int(lines[3]), status)
        except (FileNotFoundError, IndexError, ValueError):  # none, or half written
            return None

    def _await_end(self, patience: float) -> None:
        end = time.monotonic() + patience
        while self.is_alive() and time.monotonic() < end:
            time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # gone, or another user's by now
        return False
    return True


def _listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def _can_listen(port: int) -> bool:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL itself does
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
