"""Rows of a CSV of leads as commands that enter them, or everything that is wrong with a row."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from pydantic import ValidationError

from commands.fields import NO_NUL
from commands.lead.entry import CaptureLead
from commands.lead_mapping import ATTRIBUTE, LeadMapping, bind

LONGEST_KEY = 255
_NUMBER = re.compile(r"[-+]?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?", re.ASCII)
_SHORTENED = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+|\d{7,}\.0", re.ASCII)
_YES_NO = {
    **dict.fromkeys(("是", "yes", "true", "1", "y", "有"), True),
    **dict.fromkeys(("否", "no", "false", "0", "n", "无"), False),
}
_SAID = {
    "missing": "is missing",
    "string_too_short": "is empty",
    "string_too_long": "is longer than {max_length} characters",
    "too_long": "are more than {max_length}",
}


class Fault(NamedTuple):
    """What is wrong: the column, or the field that no column fills, and what to do."""

    field: str
    reason: str


class Faulty(Exception):  # noqa: N818 - it describes the row
    """A row that cannot be entered, with all that is wrong with it."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in self.faults))


class LeadRow(NamedTuple):
    """A row as a command. `key` names it within its source; `id` is the lead's own id there."""

    key: str
    id: str | None
    command: CaptureLead


class LeadRows:
    """Reads the rows of one file; Misfit when its header is not the mapping's."""

    def __init__(self, mapping: LeadMapping, header: Sequence[str]) -> None:
        self._mapping = mapping
        self._header = header
        self._binding = bind(mapping, header)
        self._column = {name: column for column, name in mapping.columns.items()}

    def row(self, cells: Sequence[str]) -> LeadRow:
        """The command of a row; raises Faulty."""
        faults: list[Fault] = []
        found: dict[str, Any] = dict(self._mapping.defaults)
        for place, name in self._binding.fields:
            try:
                value = self._value(name, cells[place].strip())
            except ValueError as error:
                faults.append(Fault(self._header[place], str(error)))
                found.pop(name, None)
            else:
                if value != "":
                    found[name] = value
        key, faults_of_key = self._key(cells)
        faults += faults_of_key
        command = self._command(found, faults)
        if command is None or faults:
            raise Faulty(faults)
        return self._named(key, command)

    def _value(self, name: str, text: str) -> str | int | float | bool:
        words = self._mapping.values.get(name)
        if words and text:
            if name in self._mapping.only_listed and text not in {*words, *words.values()}:
                raise ValueError(f"has {text[:40]!r}, which [values.{name}] does not list")
            text = words.get(text, text)
        if name == "phone":
            _refuse_shortened(text)
        kind = self._mapping.types.get(name.removeprefix(ATTRIBUTE), "text")
        return text if kind == "text" or not text else _TYPED[kind](text)

    def _key(self, cells: Sequence[str]) -> tuple[list[str], list[Fault]]:
        key, faults = [], []
        for place in self._binding.key:
            text = cells[place].strip()
            key.append(text)
            try:
                _check_key(text)
            except ValueError as error:
                faults.append(Fault(self._header[place], str(error)))
        return key, faults

    def _command(self, found: Mapping[str, Any], faults: list[Fault]) -> CaptureLead | None:
        attributes = {
            name.removeprefix(ATTRIBUTE): value
            for name, value in found.items()
            if name.startswith(ATTRIBUTE)
        }
        fields = {name: value for name, value in found.items() if not name.startswith(ATTRIBUTE)}
        try:
            return CaptureLead(**fields, attributes=attributes)
        except ValidationError as error:
            blamed = {fault.field for fault in faults}
            said = (self._fault(item) for item in error.errors(include_url=False))
            faults += [fault for fault in said if fault.field not in blamed]
            return None

    def _fault(self, item: Any) -> Fault:
        name = ".".join(str(part) for part in item["loc"] if part != "[key]")
        said = _SAID.get(item["type"], item["msg"]).format_map(item.get("ctx", {}))
        if item.get("ctx", {}).get("pattern") == NO_NUL:
            said = "holds the character NUL: remove it"
        return Fault(self.column(name), said.removeprefix("Value error, "))

    @property
    def key(self) -> str:
        """The column or columns of the key, as a fault names them; "" = all of the row."""
        return ", ".join(self._mapping.key)

    def column(self, name: str) -> str:
        """The column that fills a field, else the field's own name."""
        return self._column.get(name, name)

    def _named(self, key: Sequence[str], command: CaptureLead) -> LeadRow:
        if len(key) == 1:
            return LeadRow(f"id:{key[0]}", key[0], command)
        if key:
            return LeadRow(f"ids:{json.dumps(key, ensure_ascii=False)}", None, command)
        said = command.model_dump_json().encode()
        return LeadRow(f"row:{blake2b(said, digest_size=16).hexdigest()}", None, command)


def _check_key(text: str) -> None:
    if not text:
        raise ValueError("is empty, but it is the row's key")
    if len(text) > LONGEST_KEY or "\0" in text:
        raise ValueError(f"is a key: at most {LONGEST_KEY} characters, none of them NUL")
    _refuse_shortened(text)


def _refuse_shortened(text: str) -> None:
    """Spreadsheets turn long numbers into 1.39E+10 and lose their digits."""
    if _SHORTENED.fullmatch(text):
        raise ValueError(
            f"{text} was shortened by a spreadsheet: format the column as text and export it again"
        )


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no number: give digits with at most one point")
    plain = text.replace(",", "")
    return float(plain) if "." in plain else int(plain)


def _yes_no(text: str) -> bool:
    try:
        return _YES_NO[text.casefold()]
    except KeyError:
        raise ValueError(f"{text[:40]!r} is neither 是 nor 否") from None


_TYPED = {"number": _number, "yes-no": _yes_no}
