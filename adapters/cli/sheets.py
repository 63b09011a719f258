"""Prints a report's body: for people as a table, for programs as JSON or CSV."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import typer

ENDLESS = 10_000
BORDER = 3


class Format(StrEnum):
    """How a report is printed; JSON is the HTTP body, CSV has the rows without the total."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def show(body: Mapping[str, Any], form: Format) -> None:
    """Print a report's body to stdout."""
    printers: dict[Format, Callable[[Mapping[str, Any]], None]] = {
        Format.TABLE: _table,
        Format.JSON: lambda body: typer.echo(json.dumps(body, ensure_ascii=False)),
        Format.CSV: _csv,
    }
    printers[form](body)


def flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values without nesting: keys and places in lists joined by dots."""
    for key, value in figures.items():
        inside = {str(n): v for n, v in enumerate(value)} if isinstance(value, list) else value
        if isinstance(inside, Mapping):
            yield from flat(inside, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", inside


def _csv(body: Mapping[str, Any]) -> None:
    """Lists have as many columns as the longest of them."""
    rows = [dict(flat(row)) for row in body["rows"]]
    names = dict.fromkeys(name for row in rows for name in row)
    writer = csv.DictWriter(sys.stdout, names or dict(flat(body["total"])))
    writer.writeheader()
    writer.writerows(rows)


def _table(body: Mapping[str, Any]) -> None:
    """Rows, total and definitions; what is a list has no place in a table.

    No figure is cut: on a narrow screen the columns stand in several tables, each with the rows'
    names; in a file or a pipe a line is as long as it must be.
    """
    from rich.console import Console  # noqa: PLC0415 - only people wait for it
    from rich.table import Table  # noqa: PLC0415

    *rows, total = (_without_lists(line) for line in (*body["rows"], body["total"]))
    first, *figures = list(rows[0] if rows else total)
    lines = [*rows, {first: "total", **total}]
    width = None if sys.stdout.isatty() else ENDLESS
    console = Console(width=width, markup=False, highlight=False)
    console.print(
        f"{body['report']} by {body['dimension']}, log position {body['position']}", style="italic"
    )
    for part in _fitting(first, figures, lines, console.width):
        names = [first, *part]
        sheet = Table()
        for name, heading in zip(names, _headings(names), strict=True):
            own = name == first
            justify: Any = "left" if own else "right"
            sheet.add_column(heading, justify=justify, vertical="bottom", no_wrap=not own)
        for line in lines:
            if line is lines[-1]:
                sheet.add_section()
            style = "bold" if line is lines[-1] else None
            sheet.add_row(*(_cell(line.get(name)) for name in names), style=style)
        console.print(sheet)
    for term, sentence in body["definitions"].items():
        console.print(f"{term}: {sentence}", style="dim")


def _fitting(
    first: str, figures: Sequence[str], lines: Sequence[Mapping[str, Any]], width: int
) -> Iterator[Sequence[str]]:
    """The columns in groups that fit beside the first one, each of one column at least."""
    part: list[str] = []
    left = room = width - _width(first, lines) - 1
    for name in figures:
        needed = _width(name, lines)
        if part and needed > left:
            yield part
            part, left = [], room
        part.append(name)
        left -= needed
    yield part


def _width(name: str, lines: Sequence[Mapping[str, Any]]) -> int:
    """Of a column, with its border: the widest of its cells and the words of its heading."""
    from rich.cells import cell_len  # noqa: PLC0415

    return max(map(cell_len, (*name.split("."), *(_cell(x.get(name)) for x in lines)))) + BORDER


def _without_lists(line: Mapping[str, Any]) -> dict[str, Any]:
    return dict(flat({name: value for name, value in line.items() if not isinstance(value, list)}))


def _headings(names: list[str]) -> Iterator[str]:
    """`hours.mean` as two lines, of which the first is said only once."""
    before = None
    for name in names:
        group, _, figure = name.rpartition(".")
        above = group.replace(".", "\n") if group != before else ""
        yield f"{above}\n{figure}" if group else name
        before = group


def _cell(value: Any) -> str:
    """A value for people: at most two decimals, four of what is below 1; nothing for null."""
    if isinstance(value, float):
        return f"{value:.{4 if abs(value) < 1 else 2}f}".rstrip("0").rstrip(".")
    return "" if value is None else str(value)
