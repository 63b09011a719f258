"""What files of rows have in common: opened or unpacked from gzip, read in flat memory."""

import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

LONGEST_LINE = 2**20
GZIP = b"\x1f\x8b"
BUFFER = 2**20


class Unreadable(Exception):  # noqa: N818 - it describes the file
    """The file cannot be read from here on."""


class Row(NamedTuple):
    """A row: the line on which it starts (from 1), its cells, its text, why it is no CSV."""

    line: int
    cells: Sequence[str]
    text: str
    fault: str | None = None


def opened(path: Path) -> io.BufferedReader:
    """The file's bytes as they are on disk."""
    try:
        return io.BufferedReader(io.FileIO(path), BUFFER)
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}") from error


def unpacked(raw: io.BufferedReader) -> io.BufferedReader:
    """The same, or what is packed in it."""
    if raw.peek(2)[:2] != GZIP:
        return raw
    return io.BufferedReader(gzip.GzipFile(fileobj=raw), BUFFER)
