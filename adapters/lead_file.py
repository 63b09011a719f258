"""A CSV of leads on disk as rows, in flat memory: as Excel, WPS or another CRM wrote it.

UTF-8 with or without a mark, GB18030 (so GBK and GB2312), UTF-16 with a mark; commas, semicolons
or tabs; plain or gzip. A broken row costs itself and no row behind it: where a quote was left open,
reading goes on with the next line that starts a whole row. Lines are counted as an editor does.
"""

import csv
import gzip
import io
import os
import re
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from adapters.row_file import LONGEST_LINE, Row, Unreadable, opened, unpacked

DELIMITERS = (",", ";", "\t")
LONGEST_CELL = 2**16
CERTAIN_LINES = 1_000
"""So many more lines of one encoding than of the other settle which one it is."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UNDECODED = re.compile(r"[\ud800-\udfff]")


class LeadFile:
    """Iterates over the rows behind the header; rows of blank cells are none.

    `header` has the columns' names, stripped. With `fill_short` a row may lack its last cells.
    """

    def __init__(self, path: Path, *, fill_short: bool = False) -> None:
        csv.field_size_limit(LONGEST_CELL)
        self.encoding = _encoding_of(path)
        self._raw = opened(path)
        self.size = os.fstat(self._raw.fileno()).st_size
        # What cannot be decoded is kept as lone surrogates: it spoils its row, not the file.
        errors = "strict" if self.encoding == "utf-16" else "surrogateescape"
        text = io.TextIOWrapper(unpacked(self._raw), self.encoding, errors, newline="")
        self._lines = _Lines(text)
        self._fill_short = fill_short
        try:
            self._delimiter, self.header = self._read_header()
        except BaseException:
            self.close()
            raise
        self._reader = csv.reader(self._lines, delimiter=self._delimiter, strict=True)

    def __iter__(self) -> Iterator[Row]:
        while row := self._next():
            if row.fault or any(map(str.strip, row.cells)):
                yield row

    def read_bytes(self) -> int:
        """How much of `size` has been read."""
        return self._raw.tell()

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def _read_header(self) -> tuple[str, tuple[str, ...]]:
        """The delimiter is the one that makes most of the header."""
        found: dict[str, list[str]] = {}
        for delimiter in DELIMITERS:
            try:
                cells = next(csv.reader(self._lines, delimiter=delimiter, strict=True), None)
            except csv.Error:
                cells = [""]
            if cells is None:
                raise Unreadable("the file is empty: its first line names the columns")
            found[delimiter] = cells
            self._lines.give_back(self._lines.taken())
        best = max(DELIMITERS, key=lambda delimiter: len(found[delimiter]))
        next(csv.reader(self._lines, delimiter=best, strict=False))
        header = tuple(name.strip() for name in found[best])
        if not any(header):
            raise Unreadable("line 1 names no columns: the file starts with their names")
        if _UNDECODED.search("".join(header)):
            raise Unreadable("line 1 is neither UTF-8 nor GB18030: save the file as UTF-8")
        return best, header

    def _next(self) -> Row | None:
        self._lines.taken()
        start = self._lines.number + 1
        try:
            cells = next(self._reader)
        except StopIteration:
            return None
        except csv.Error as error:
            return self._broken(start, f"is no row of CSV ({error}): is a quote missing?")
        text = "".join(self._lines.kept)
        if _UNDECODED.search(text):
            reason = f"has bytes that are no {self.encoding}: type the row again"
            return Row(start, (), text, reason)
        fitting = self._fitting(cells)
        if fitting is None:
            wanted, found = len(self.header), len(cells)
            reason = f"has {found} cells instead of {wanted}: is it cut, or a cell not in quotes?"
            return self._broken(start, reason, well_formed=True)
        return Row(start, fitting, text)

    def _fitting(self, cells: list[str]) -> Sequence[str] | None:
        """The cells as many as the header's; spreadsheets add and leave out empty ones."""
        surplus = len(cells) - len(self.header)
        if surplus == 0 or not cells:
            return cells
        if surplus > 0:
            return None if any(map(str.strip, cells[-surplus:])) else cells[:-surplus]
        return cells + [""] * -surplus if self._fill_short else None

    def _broken(self, start: int, reason: str, *, well_formed: bool = False) -> Row:
        """The faulty lines; what behind them is a row of its own is read again.

        Cells that are well formed are one row that has too few or too many of them, unless a row
        with just enough stands inside; otherwise half of them make a row, perhaps a faulty one.
        """
        lines, width = self._lines.taken(), len(self.header)
        enough = range(width, width + 1) if well_formed else range(width // 2 + 1, LONGEST_CELL)
        rows = (n for n in range(1, len(lines)) if self._begins_row(lines[n:], enough))
        upto = next(rows, len(lines) if well_formed else 1)
        self._lines.give_back(lines[upto:])
        if upto < len(lines):
            reason = "opens a quote that nothing closes: close it, or remove it"
        return Row(start, (), "".join(lines[:upto]), reason)

    def _begins_row(self, lines: Sequence[str], enough: range) -> bool:
        """Whether lines begin with a whole row, or with one whose last lines were not read yet."""
        reader = csv.reader(iter(lines), delimiter=self._delimiter, strict=True)
        try:
            cells = next(reader, ())
        except csv.Error as error:
            return "unexpected end" in str(error)
        quotes = sum(line.count('"') for line in lines[: reader.line_num])
        return len(cells) in enough and quotes % 2 == 0


class _Lines:
    """The lines of a file; `kept` are those handed out since they were last taken."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream
        self._ahead: deque[str] = deque()
        self.number = 0
        self.kept: list[str] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self.kept.append(line)
        return line

    def taken(self) -> list[str]:
        """The lines kept, which are forgotten here."""
        kept, self.kept = self.kept, []
        return kept

    def give_back(self, lines: Sequence[str]) -> None:
        """Lines to be handed out again; they were the last ones."""
        self._ahead.extendleft(reversed(lines))
        self.number -= len(lines)

    def _read(self) -> str:
        place = f"line {self.number + 1}"
        try:
            line = self._stream.readline(LONGEST_LINE + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Unreadable(f"{place}: the compressed file is damaged here: {error}") from error
        except UnicodeDecodeError as error:
            raise Unreadable(f"{place}: not UTF-16 as its mark says: save it as UTF-8") from error
        if len(line) > LONGEST_LINE:
            raise Unreadable(f"{place} is longer than {LONGEST_LINE} characters")
        return line


def _encoding_of(path: Path) -> str:
    """The encoding in which most of the lines that are not ASCII make sense.

    One wrong byte must not turn a file of UTF-8 into one of GB18030, where it would read as
    nonsense without an error. Lines of GB18030 are hardly ever UTF-8 by chance.
    """
    with opened(path) as raw:
        if not raw.seekable():
            raise Unreadable("is no file on disk: it has to be read twice")
        stream = unpacked(raw)
        balance = 0
        try:
            if stream.peek(2)[:2] in UTF_16:
                return "utf-16"
            while abs(balance) < CERTAIN_LINES and (line := stream.readline(LONGEST_LINE)):
                if not line.isascii():
                    balance += _is(line, "utf-8") or -_is(line, "gb18030")
        except (EOFError, zlib.error, gzip.BadGzipFile):
            pass  # said with its line when it is read
    return "gb18030" if balance < 0 else "utf-8-sig"


def _is(line: bytes, encoding: str) -> int:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return 0
    return 1
