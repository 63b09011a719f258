"""A program that runs beside this process, and never outlives it."""

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

STOP_SECONDS = 60.0


class Program:
    """A program, and a watcher that ends it when this process is gone, however it went."""

    def __init__(self, command: Sequence[str], log: IO[bytes], place: Path) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=place,
            start_new_session=True,  # Ctrl-C is for us
        )
        watching = ("sh", "-c", 'read _; kill -9 "$0"', str(self._process.pid))
        self._watcher = subprocess.Popen(
            watching, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def lives(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def end(self, how: signal.Signals) -> None:
        """Send the signal and wait for the end."""
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self._watcher.communicate()
