"""Processes that begin with leadlog imported: forked from a server that has done so once.

The imports take longer than most of what tests do with the program. What is forked has its own
arguments, environment, output, signals and exit code all the same; each command imports its own
module, as ever. A start with nothing imported: tests/integration/test_serve.py and test_demo.py.
"""

import atexit
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from multiprocessing import connection, get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

_one_at_a_time = Lock()  # each start asks how the others ended, and a process says so only once
_server = get_context("forkserver")
_server.set_forkserver_preload(
    ["pytest", "typer.rich_utils", "rich.markdown", "adapters.cli.options", "adapters.background",
     "adapters.directory", "adapters.history_import", "adapters.lead_import"]
)  # fmt: skip


class Forked:
    """A process that calls a function of a module; it does not outlive its `with`."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._process = _server.Process(target=function, args=arguments)
        with _one_at_a_time:
            self._process.start()

    def poll(self) -> int | None:
        """The exit code if it has ended; a negative one is the signal that ended it."""
        with _one_at_a_time:
            return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        """The exit code, once it has ended; AssertionError if it has not by then."""
        connection.wait([self._process.sentinel], seconds)
        code = self.poll()
        assert code is not None, "it goes on"
        return code

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.kill()
        self.wait()


def barrier(parties: int) -> Barrier:
    """Where so many forked processes wait for each other."""
    return _server.Barrier(parties)


def leadlog(
    *arguments: object,
    environment: Mapping[str, str],
    out: str | Path = os.devnull,
    err: str | Path = os.devnull,
) -> Forked:
    """The program with these arguments, and the files that its words go to."""
    return Forked(_leadlog, [str(word) for word in arguments], dict(environment), out, err)


def run(*arguments: object, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """The program from its start to its end."""
    with tempfile.TemporaryDirectory() as directory:
        out, err = Path(directory, "out"), Path(directory, "err")
        code = leadlog(*arguments, environment=environment, out=out, err=err).wait()
        return subprocess.CompletedProcess("leadlog", code, out.read_text(), err.read_text())


def _leadlog(
    arguments: list[str], environment: dict[str, str], out: str | Path, err: str | Path
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for path, number in ((out, 1), (err, 2)):
        with open(path, "wb") as file:
            os.dup2(file.fileno(), number)
    sys.argv = ["leadlog", *arguments]
    try:
        runpy.run_module("adapters.cli", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out
