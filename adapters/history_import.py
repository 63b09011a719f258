"""`import history`: a file's rows into the log, batch by batch, broken rows refused or put aside.

Rows are read one batch ahead, while PostgreSQL takes the last one in.
"""

import csv
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from adapters.history_file import PUT_ASIDE, HistoryFile
from adapters.postgres.bulk import HistoryLog, Stored
from adapters.row_file import Row
from commands.history import HEADER, Fact, HistoryRows
from commands.history_mapping import HistoryMapping
from commands.history_values import Broken
from commands.marks import Mark

BATCH_ROWS = 5_000
BATCH_CHARACTERS = 2**22  # memory stays flat when rows are huge, too


class BrokenRow(Exception):  # noqa: N818 - it describes the row
    """The first row that cannot be taken in; the rows before it are in the log."""

    def __init__(self, row: Row, reason: str) -> None:
        super().__init__(f"line {row.line}: {reason}; the rows before it are imported")
        self.reason = reason


@dataclass(slots=True)
class Tally:
    """What came of an import. `seconds` of wall clock, rows without the header."""

    rows: int = 0
    new_rows: int = 0
    events: int = 0
    put_aside: int = 0
    seconds: float = 0.0

    def add(self, stored: Stored) -> None:
        """Count a batch that is in the log."""
        self.new_rows += stored.rows
        self.events += stored.events


def import_history(
    dsn: str,
    path: Path,
    *,
    source: str,
    zone: ZoneInfo,
    mark: Mark,
    mapping: HistoryMapping,
    simulated_now: datetime | None = None,
    errors: Path | None = None,
    progress: Callable[[int, int], None] = lambda _read, _size: None,
) -> Tally:
    """Take a file in. With `errors` broken rows go there, else the first one raises BrokenRow.

    Raises Unreadable when the file cannot be read on. Either way the rows before are in the log.
    `progress` is told the bytes read and the file's size. `simulated_now` is when it happens in a
    simulated company.
    """
    started, tally = time.monotonic(), Tally()
    with ExitStack() as stack:
        file = stack.enter_context(closing(HistoryFile(path)))
        log = stack.enter_context(closing(HistoryLog(dsn, source, zone, mark, simulated_now)))
        aside = stack.enter_context(_Aside(errors)) if errors else None
        writer = stack.enter_context(ThreadPoolExecutor(1, "history-writer"))
        under_way: Future[Stored] | None = None
        batches = _batches(file, HistoryRows(source, zone, mapping), aside, tally)
        while True:
            facts, fault = next(batches)
            if under_way:
                tally.add(under_way.result())
            progress(file.read_bytes(), file.size)
            under_way = writer.submit(log.append, facts) if facts else None
            if fault:
                break
        if under_way:
            tally.add(under_way.result())
    tally.seconds = time.monotonic() - started
    if not isinstance(fault, StopIteration):
        raise fault
    return tally


def _batches(
    file: HistoryFile, rows: HistoryRows, aside: "_Aside | None", tally: Tally
) -> Iterator[tuple[Sequence[Fact], Exception | None]]:
    """Facts, and what ended the file behind them: StopIteration is its proper end."""
    iterator = iter(file)
    while True:
        facts: list[Fact] = []
        fault: Exception | None = None
        characters = 0
        while len(facts) < BATCH_ROWS and characters < BATCH_CHARACTERS and fault is None:
            try:
                row = next(iterator)
                tally.rows += 1
                characters += len(row.text)
                facts.append(_fact(rows, row))
            except BrokenRow as error:
                if aside:
                    aside.put(row, error)
                    tally.put_aside += 1
                else:
                    fault = error
            except Exception as error:  # noqa: BLE001 - raised when the facts before it are in
                fault = error
        yield facts, fault


def _fact(rows: HistoryRows, row: Row) -> Fact:
    if row.fault:
        raise BrokenRow(row, row.fault)
    try:
        return rows.fact(row.cells)
    except Broken as error:
        raise BrokenRow(row, str(error)) from None


class _Aside:
    """Broken rows in a file that, corrected, can be imported: the row, its line, the reason."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(HEADER + PUT_ASIDE)

    def put(self, row: Row, error: BrokenRow) -> None:
        """Write a row; what is not five cells stands whole, as text, in the last of five."""
        whole = len(row.cells) == len(HEADER)
        cells = row.cells if whole else ("", "", "", "", row.text.rstrip("\r\n"))
        self._writer.writerow((*cells, row.line, error.reason))

    def __enter__(self) -> "_Aside":
        return self

    def __exit__(self, *_: Any) -> None:
        self._file.close()
