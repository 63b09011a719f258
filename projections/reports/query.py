"""SQL as a value, and JSON built by SQL in the shape that Python writes down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = "str | Mapping[str, Json] | Sequence[Json]"
"""The shape of a JSON value; its leaves are SQL expressions."""


@dataclass(frozen=True, slots=True)
class Query:
    """A statement with `%(name)s` placeholders and its arguments. Table names are unqualified."""

    sql: str
    args: Mapping[str, Any]


def as_json(shape: Json) -> str:
    """The SQL expression of type json that has this shape."""
    if isinstance(shape, str):
        return shape
    if isinstance(shape, Mapping):
        pairs = (f"'{name}', {as_json(value)}" for name, value in shape.items())
        return f"json_build_object(\n  {', '.join(pairs)})"
    return f"json_build_array({', '.join(map(as_json, shape))})"
