"""Rules as TOML files: how people write them, how they are shown and compared."""

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from commands.policy_documents import read


class UnreadableFile(Exception):  # noqa: N818 - an ending, not a defect
    """A file that is no TOML; its text is the one line that says why."""


def read_file(kind: str, file: Path) -> Any:
    """The rules that a file states. UnreadableFile, or InvalidPolicy with every field at fault."""
    return read(kind, document_of(file))


def document_of(file: Path) -> dict[str, Any]:
    """A file's content as it was written."""
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise UnreadableFile(f"{file}: {error}") from None


def as_toml(document: Mapping[str, Any]) -> str:
    """A document: plain fields first, then what is a list of tables.

    TOML cannot say "nothing": such a field is a comment, which reads back as its default.
    """
    return "\n".join(_lines(document)) + "\n"


def difference(before: Mapping[str, Any], after: Mapping[str, Any], names: tuple[str, str]) -> str:
    """What would change between two documents, as a unified diff of their TOML."""
    old, new = (as_toml(document).splitlines() for document in (before, after))
    return "\n".join(difflib.unified_diff(old, new, *names, lineterm=""))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    for name, value in document.items():
        if not _is_tables(value):
            yield _field(name, value)
    for name, value in document.items():
        for table in value if _is_tables(value) else ():
            yield ""
            yield f"[[{name}]]"
            yield from (_field(*item) for item in table.items())


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _field(name: str, value: Any) -> str:
    return f"# {name} is not set" if value is None else f"{name} = {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{k} = {_value(v)}" for k, v in value.items() if v is not None)
        return f"{{ {inside} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    # A JSON string, number or boolean is TOML's too, but for one character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
