"""What a read model is: tables with typed rows and a pure fold of a batch of events.

A fold changes a working set in memory; loading the rows it needs and storing what became of them,
set-based and in one transaction with the checkpoint, is the runner's work. So the same fold fills
the live tables, a rebuild beside them, and the scratch tables of a report on an earlier state.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from types import UnionType
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints
from uuid import UUID

from aggregates.event import Event, Recorded

Row = TypeVar("Row")

_SQL_TYPES = {
    UUID: "uuid",
    str: "text",
    int: "bigint",
    float: "float8",
    bool: "boolean",
    Decimal: "numeric",
    datetime: "timestamptz",
    date: "date",
    dict: "jsonb",
    list: "text[]",
}


@dataclass(frozen=True)
class Table(Generic[Row]):
    """A table whose columns are the fields of a dataclass, in order; its key comes first.

    A keyed table's key begins with the stream. `facts` = append-only rows that are never loaded
    (their primary key is `key`); `whole` = a small table that every batch loads whole. `personal`
    names the columns of facts that `WorkingSet.forget` empties; it finds them by the first of the
    table's `indexes`, which begins with the lead.
    """

    name: str
    row: type[Row]
    key: tuple[str, ...]
    facts: bool = False
    whole: bool = False
    personal: tuple[str, ...] = ()
    indexes: tuple[str, ...] = ()

    @property
    def several(self) -> bool:
        """Whether a stream may have several rows: then a row's key is a tuple."""
        return len(self.key) > 1

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """Column name -> PostgreSQL type."""
        hints = get_type_hints(self.row)
        return {f.name: _sql_type(hints[f.name]) for f in fields(self.row)}  # type: ignore[arg-type]


class WorkingSet:
    """The rows a fold works on: keyed rows by table and key, new facts by table."""

    def __init__(self) -> None:
        self.keyed: dict[str, dict[Any, Any]] = {}
        self.facts: dict[str, list[Any]] = {}
        self.forgotten: dict[str, dict[UUID, int]] = {}

    def rows(self, table: Table[Row]) -> dict[Any, Row]:
        """The keyed rows of a table; put new ones in under their key, a tuple if it has several
        columns.
        """
        return self.keyed.setdefault(table.name, {})

    def append(self, table: Table[Row], row: Row) -> None:
        """Add a fact."""
        self.facts.setdefault(table.name, []).append(row)

    def forget(self, table: Table[Any], lead: UUID, position: int) -> None:
        """Empty what is personal in a lead's facts before a position of the log, those that are
        stored and those of this batch. Their table has columns `lead` and `position`.
        """
        self.forgotten.setdefault(table.name, {})[lead] = position


Fold = Callable[[WorkingSet, Sequence[Recorded]], None]


@dataclass(frozen=True)
class View:
    """A view in schema `report` for analysts: masked, without contact names and free text.

    `query` selects from the projection's tables as `{schema}.<table>`; `columns` describes them.
    With a table named in `scoped` it selects from that as `{rows}`, and members have the view in
    schema `member`, over the rows of those leads that they may see (R114-R116).
    """

    name: str
    comment: str
    query: str
    columns: Mapping[str, str]
    scoped: str | None = None
    schema: str = "report"


@dataclass(frozen=True)
class Projection:
    """A named read model. Raise `version` whenever its tables or its fold change.

    `events` are the types it folds. Keyed tables (neither facts nor whole) are keyed by stream:
    before a fold the working set holds their rows of every stream in the batch that has one. What
    is personal in an event is None unless the projection is `personal`, or where it was erased.
    """

    name: str
    version: int
    events: tuple[type[Event], ...]
    tables: tuple[Table[Any], ...]
    fold: Fold
    views: tuple[View, ...] = ()
    personal: bool = False

    @property
    def by_stream(self) -> bool:
        """Each stream's rows depend on its own events alone, so streams may be folded in turn."""
        return not any(t.facts or t.whole for t in self.tables)

    @property
    def topics(self) -> list[str]:
        """The stored names of the events it folds."""
        return [e.topic for e in self.events]


def dispatch(
    table: Table[Row],
    new: Callable[[UUID], Row],
    handlers: Mapping[type[Event], Callable[[Row, Recorded, Any], None]],
    after: Callable[[Row, Recorded], None] | None = None,
) -> Fold:
    """A fold of one row per stream: each event changes its stream's row through its handler."""

    def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
        rows = working.rows(table)
        for recorded in batch:
            row = rows.get(recorded.stream)
            if row is None:
                row = rows[recorded.stream] = new(recorded.stream)
            handlers[type(recorded.event)](row, recorded, recorded.event)
            if after:
                after(row, recorded)

    return fold


def visible(batch: Iterable[Recorded], as_of: datetime | None) -> list[Recorded]:
    """The facts with a known time strictly before `as_of`; all of them when it is None."""
    if as_of is None:
        return list(batch)
    return [r for r in batch if r.event.occurred_at is not None and r.event.occurred_at < as_of]


def _sql_type(hint: Any) -> str:
    """The PostgreSQL type of an annotation such as `str | None` or `list[str]`."""
    if isinstance(hint, UnionType):
        hint = next(a for a in get_args(hint) if a is not type(None))
    return _SQL_TYPES[get_origin(hint) or hint]
