"""What pydantic finds wrong with a value, in words for whoever sent it."""

from collections.abc import Mapping
from typing import Any

from commands.fields import NO_NUL

_SENTENCES = {
    "missing": "is required",
    "extra_forbidden": "there is no such field",
    "unexpected_keyword_argument": "there is no such field",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "dict_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "dataclass_type": "must be a JSON object",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_pattern_mismatch": "is not of the form that is wanted",
    "date_parsing": "must be a date such as 2024-05-01",
    "date_from_datetime_parsing": "must be a date such as 2024-05-01",
}
_COUNTED = {
    "string_too_short": ("min_length", "must have at least", "character"),
    "string_too_long": ("max_length", "must have at most", "character"),
    "too_short": ("min_length", "must have at least", "item"),
    "too_long": ("max_length", "must have at most", "item"),
}
NOT_JSON = "json_invalid"


def sentence(item: Mapping[str, Any]) -> str:
    """An entry of `ValidationError.errors()`, as "what is said of the field at fault".

    >>> sentence({"type": "missing", "msg": "Field required"})
    'is required'
    """
    kind, context = item["type"], item.get("ctx", {})
    if context.get("pattern") == NO_NUL:
        return "must not contain the character NUL"
    if kind in _COUNTED:
        limit, words, what = _COUNTED[kind]
        number = context[limit]
        return f"{words} {number} {what}{'' if number == 1 else 's'}"
    if kind == NOT_JSON:
        return _not_json(context["error"])
    said = _SENTENCES.get(kind, str(item["msg"]).removeprefix("Value error, "))
    return said.replace("Input should be", "must be")


def _not_json(error: str) -> str:
    if error.startswith("EOF while parsing a value at line 1 column 0"):
        return "the body is empty: send a JSON object, {} at least"
    return f"the body is no JSON: {error}"
