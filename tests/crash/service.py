"""The real `leadlog serve` on an embedded, durable PostgreSQL, and ways to kill its parts."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from adapters.embedded import Cluster

STOP_SECONDS = 60


class RunningService:
    """`leadlog serve` on a data directory, at an address that survives its restarts."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self._data_dir = data_dir
        self._port = port
        self.url = f"http://127.0.0.1:{self._port}"
        self._log = data_dir.with_suffix(".log")
        self.start()

    @property
    def token(self) -> str:
        """The administrator's."""
        return (self._data_dir / "admin-token").read_text().strip()

    @property
    def dsn(self) -> str:
        """Its database, past the API."""
        return self._cluster.dsn("leadlog")

    @property
    def log(self) -> str:
        """What all its processes have said."""
        return self._log.read_text()

    def start(self) -> None:
        """Start it, as a supervisor does with a dead one; it may not be ready yet."""
        environment = os.environ | {"LEADLOG_DATA_DIR": str(self._data_dir)}
        command = [sys.executable, "-m", "adapters.cli", "serve", "--port", str(self._port)]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def kill_api(self) -> None:
        """SIGKILL to the API's process, then a start."""
        self._process.kill()
        self._process.wait()
        self.start()

    def kill_worker(self) -> None:
        """SIGKILL to the worker, if there is one at the moment."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children():
                if "worker" in child.cmdline():
                    child.send_signal(signal.SIGKILL)

    def kill_postgres(self) -> None:
        """SIGKILL to the server and all its children."""
        self._cluster.kill()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self._process.terminate()
        return self._process.wait(STOP_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._cluster.kill()

    @property
    def _cluster(self) -> Cluster:
        return Cluster(self._data_dir / "postgres")
