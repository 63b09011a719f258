"""What an import of leads leaves behind for people, as CSVs that a spreadsheet opens (UTF-8, mark).

The rows that are not in, as they were, with line, field and reason: corrected, that is a file to
import. And which new lead may be the same as which other one.
"""

import csv
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.lead_import import Outcome
from commands.lead_mapping import PUT_ASIDE

TWINS = ("line", "code", "certainty", "by", "other_line", "other_code")


class _Sheet:
    """A CSV that is written row by row. A context manager."""

    def __init__(self, path: Path, header: Iterable[str]) -> None:
        # What could not be decoded shows as question marks.
        self._file = path.open("w", encoding="utf-8-sig", errors="replace", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(header)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.close()


class _Refused(_Sheet):
    """Rows that were refused, or say something else than when they were entered."""

    def __init__(self, path: Path, header: Sequence[str]) -> None:
        self._kept = [n for n, column in enumerate(header) if column not in PUT_ASIDE]
        super().__init__(path, [*(header[n] for n in self._kept), *PUT_ASIDE])

    def put(self, outcome: Outcome) -> None:
        """Write a row; one that has no cells of its own stands whole in the first column."""
        row, faults = outcome.row, outcome.faults
        whole = [row.text.rstrip("\r\n")] + [""] * (len(self._kept) - 1)
        self._writer.writerow((
            *([row.cells[n] for n in self._kept] if row.cells else whole),
            row.line,
            "; ".join(fault.field for fault in faults),
            "; ".join(fault.reason for fault in faults),
        ))  # fmt: skip


class _Duplicates(_Sheet):
    """A row for each pair; by = what is equal. Lines are those of the imported file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, TWINS)

    def put(self, outcome: Outcome) -> None:
        """Write a new lead's twins."""
        for twin in outcome.twins:
            certainty = "certain" if twin.certain else "possible"
            by = ", ".join(twin.by)
            self._writer.writerow(
                (outcome.row.line, outcome.code, certainty, by, twin.line, twin.code)
            )


class Sheets(ExitStack):
    """The sheets that are wanted, open together. `first` is the first row that has faults."""

    def __init__(self, errors: Path | None, duplicates: Path | None, header: Sequence[str]) -> None:
        super().__init__()
        self.first: Outcome | None = None
        self._refused = self.enter_context(_Refused(errors, header)) if errors else None
        self._duplicates = self.enter_context(_Duplicates(duplicates)) if duplicates else None

    def tell(self, outcome: Outcome) -> None:
        """Write a row into the sheets that it belongs to."""
        if self._duplicates and outcome.twins:
            self._duplicates.put(outcome)
        if outcome.faults:
            self.first = self.first or outcome
            if self._refused:
                self._refused.put(outcome)
