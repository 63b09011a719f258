"""A history file on disk as rows of CSV, in flat memory: plain or gzip, each with its line number.

A row that is no CSV is handed out with its text and what is wrong with it; a file that cannot be
read on from some line raises Unreadable, one line that says where and what to do.
"""

import csv
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from adapters.row_file import LONGEST_LINE, Row, Unreadable, opened, unpacked
from commands.history import HEADER

PUT_ASIDE = ("line", "reason")
"""Further columns of a file of rows put aside; such a file, corrected, is a history file again."""


class HistoryFile:
    """Iterates over the rows behind the header, which is checked on opening."""

    def __init__(self, path: Path) -> None:
        self._raw = opened(path)
        self.size = os.fstat(self._raw.fileno()).st_size
        self._lines = _Lines(unpacked(self._raw))
        csv.field_size_limit(LONGEST_LINE)
        self._reader = csv.reader(self._lines, strict=True)
        self._width = len(HEADER)
        try:
            self._width = self._read_header()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Row]:
        while row := self._next():
            if row.cells or row.fault:  # a blank line is no row
                yield row

    def read_bytes(self) -> int:
        """How much of `size` has been read; 0 for a pipe."""
        return self._raw.tell() if self._raw.seekable() else 0

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def _next(self) -> Row | None:
        lines = self._lines
        lines.kept.clear()
        start = lines.number + 1
        try:
            cells = next(self._reader)
        except StopIteration:
            return None
        except csv.Error as error:
            return Row(start, (), "".join(lines.kept), f"not a row of CSV: {error}")
        if len(cells) == self._width:
            cells = cells[: len(HEADER)]
        return Row(start, cells, "".join(lines.kept))

    def _read_header(self) -> int:
        wanted = ",".join(HEADER)
        row = self._next()
        if row is None:
            raise Unreadable(f"the file is empty: a history file starts with the line {wanted}")
        if tuple(row.cells) not in (HEADER, HEADER + PUT_ASIDE):
            found = row.text.strip()[:80]
            raise Unreadable(f"line 1 is {found!r}: a history file starts with the line {wanted}")
        return len(row.cells)


class _Lines:
    """The lines of a file as text; `kept` are those handed out since it was last cleared."""

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self.number = 0
        self.kept: list[str] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._decoded(self._read())
        if not line:
            raise StopIteration
        self.number += 1
        self.kept.append(line)
        return line

    def _read(self) -> bytes:
        try:
            line = self._stream.readline(LONGEST_LINE + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Unreadable(
                f"line {self.number + 1}: the compressed file is cut or damaged here: {error}"
            ) from error
        if len(line) > LONGEST_LINE:
            raise Unreadable(f"line {self.number + 1} is longer than {LONGEST_LINE} bytes")
        return line

    def _decoded(self, line: bytes) -> str:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            place = f"line {self.number + 1}, byte {error.start + 1}"
            raise Unreadable(f"{place}: not UTF-8: convert the file to UTF-8") from error
        return text.removeprefix("\ufeff") if self.number == 0 else text
