"""Prints a report's body: for people as a table, for programs as JSON or CSV."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import typer


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
    """Rows, total and definitions; what is a list has no place in a table."""
    from rich.console import Console  # noqa: PLC0415 - only people wait for it
    from rich.table import Table  # noqa: PLC0415

    *rows, total = (_without_lists(line) for line in (*body["rows"], body["total"]))
    names = list(rows[0] if rows else total)
    sheet = Table(title=f"{body['report']} by {body['dimension']}, log position {body['position']}")
    for name, heading in zip(names, _headings(names), strict=True):
        sheet.add_column(
            heading, justify="left" if name == names[0] else "right", vertical="bottom"
        )
    for row in rows:
        sheet.add_row(*map(_cell, row.values()))
    sheet.add_section()
    last = {names[0]: "total", **total}
    sheet.add_row(*(_cell(last.get(name)) for name in names), style="bold")
    console = Console(width=None if sys.stdout.isatty() else 200, markup=False, highlight=False)
    console.print(sheet)
    for term, sentence in body["definitions"].items():
        console.print(f"{term}: {sentence}", style="dim")


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
    """A value for people: at most four decimals, nothing for null."""
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return "" if value is None else str(value)
