"""The `leadlog` program, run as a user runs it."""

import os
import subprocess

from tests import forked


class Program:
    """The command line on one database."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def __call__(self, *arguments: str, refused: str | None = None) -> str:
        """What it prints; with `refused`, the one line in which it ends."""
        ended = self.run(*arguments)
        assert ended.returncode == (1 if refused else 0), ended.stderr
        if refused:
            assert refused in ended.stderr
            assert len(ended.stderr.splitlines()) == 1
        return ended.stdout

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """How it ends, whatever that is."""
        environment = os.environ | {"LEADLOG_ALLOW_UNSAFE_POSTGRES": "true"}
        return forked.run(*arguments, "--database", self._dsn, environment=environment)
