"""What a user says about a CSV of leads (a TOML file): which column is what, and a row's name.

key = "客户编号"                   # the column, or list of columns, that names a row for ever
ignore = ["序号"]                  # columns to leave out
only_listed = ["source"]          # fields that take no word but those in their [values]
short_rows = "fill"               # a row may lack its last cells; without this it is refused

[columns]
"公司名称" = "customer"            # a column = a field of the capture command
"规模" = "attributes.规模"         # or an attribute of the lead

[types]
"规模" = "number"                  # what an attribute is: text (as without this), number, yes-no

[values.source]
"网站" = "官网注册"                 # the file's word = ours; "" = nothing

[defaults]
source = "其他"                    # where the row says nothing

Only [columns] is needed. Without a key a row is named by all that is mapped of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aggregates.lead.events import PROFILE
from commands.lead.entry import CaptureLead
from commands.mapping_document import refuse_unknown, section, words

ATTRIBUTE = "attributes."
FIELDS = tuple(name for name in CaptureLead.model_fields if name in PROFILE)
"""The fields of a capture that a column may fill."""
PUT_ASIDE = ("line", "field", "reason")
"""Further columns of a file of refused rows; such a file, corrected, is a file of leads again."""
SECTIONS = ("key", "ignore", "only_listed", "short_rows", "columns", "types", "values", "defaults")
TYPES = ("text", "number", "yes-no")


@dataclass(frozen=True, kw_only=True)
class LeadMapping:
    """What is meant by the columns of a file and by the words in them."""

    columns: Mapping[str, str]
    key: tuple[str, ...] = ()
    ignore: frozenset[str] = frozenset()
    only_listed: frozenset[str] = frozenset()
    fill_short: bool = False
    types: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    defaults: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """The mapping of a TOML document; ValueError says what in it is not understood."""
        refuse_unknown("section", document, SECTIONS)
        columns = words("columns", section(document, "columns"))
        mapping = cls(
            columns={name.strip(): meant for name, meant in columns.items()},
            key=_names(document, "key"),
            ignore=frozenset(_names(document, "ignore")),
            only_listed=frozenset(_names(document, "only_listed")),
            fill_short=_choice(document, "short_rows", ("refuse", "fill")) == "fill",
            types=words("types", section(document, "types")),
            values={name: _translations(name, document) for name in section(document, "values")},
            defaults=section(document, "defaults"),
        )
        mapping._check()
        return mapping

    def _check(self) -> None:
        if "customer" not in {*self.columns.values(), *self.defaults}:
            raise ValueError('[columns] names no customer: write "<the column>" = "customer"')
        for name in (*self.columns.values(), *self.defaults, *self.values):
            if not name.startswith(ATTRIBUTE) or name == ATTRIBUTE:
                refuse_unknown("field", [name], (*FIELDS, ATTRIBUTE + "<name>"))
        self._check_columns()
        attributes = {name for name in self.columns.values() if name.startswith(ATTRIBUTE)}
        for name, kind in self.types.items():
            refuse_unknown("attribute in [types]", [ATTRIBUTE + name], sorted(attributes))
            refuse_unknown(f"type of {name}", [kind], TYPES)
        for name in self.only_listed - set(self.values):
            raise ValueError(f"only_listed has {name!r}: list its words under [values.{name}]")
        for name, value in self.defaults.items():
            if not isinstance(value, str | int | float | bool):
                raise ValueError(f"[defaults] {name} is one value")  # noqa: TRY004 - of the file

    def _check_columns(self) -> None:
        taken: dict[str, str] = {}
        for column, name in self.columns.items():
            if name in taken:
                raise ValueError(
                    f"{taken[name]!r} and {column!r} both lead to {name}: make one an attribute"
                )
            taken[name] = column
        for column in PUT_ASIDE:
            if column in self.columns or column in self.key:
                raise ValueError(
                    f"the column {column!r} belongs to files of refused rows: give it another name"
                )


class Misfit(Exception):  # noqa: N818 - it describes the file
    """The file has other columns than the mapping says."""


@dataclass(frozen=True)
class Binding:
    """Where the columns of a mapping stand in one file: places from 0."""

    fields: Sequence[tuple[int, str]]
    key: Sequence[int]


def bind(mapping: LeadMapping, header: Sequence[str]) -> Binding:
    """Find the columns in a header; Misfit when they are not as the mapping says."""
    wanted = {**dict.fromkeys(mapping.key), **dict.fromkeys(mapping.columns)}
    for column in wanted:
        if header.count(column) != 1:
            how = "twice" if column in header else "not"
            raise Misfit(
                f"the column {column!r} is {how} in the file, which has {', '.join(header)}"
            )
    for column in header:
        if column and column not in {*wanted, *mapping.ignore, *PUT_ASIDE}:
            raise Misfit(
                f"the mapping says nothing of the column {column!r}: put it into [columns],"
                " or into ignore = [...]"
            )
    return Binding(
        [(header.index(column), name) for column, name in mapping.columns.items()],
        [header.index(column) for column in mapping.key],
    )


def _names(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    given = document.get(name, [])
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(n, str) and n.strip() for n in names):
        raise ValueError(f'{name} is a word or a list of words: {name} = ["…", "…"]')
    return tuple(n.strip() for n in names)


def _choice(document: Mapping[str, Any], name: str, choices: Sequence[str]) -> str:
    chosen = str(document.get(name, choices[0]))
    refuse_unknown(name, [chosen], choices)
    return chosen


def _translations(name: str, document: Mapping[str, Any]) -> Mapping[str, str]:
    found = section(section(document, "values"), name)
    for theirs, ours in found.items():
        if not isinstance(ours, str):
            raise ValueError(f"[values.{name}] {theirs} leads to a word in quotes")  # noqa: TRY004
    return found
