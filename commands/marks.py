"""Marks: what leads have in common, known without being told (R2, A1).

A mark is 16 bytes of a keyed hash, so that nobody without the key can tell which phone number it
stands for. The log remembers which stream claimed which mark, and when.
"""

from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b
from typing import Any

from commands import contact

Mark = Callable[[str, str], bytes]
"""The mark of a kind of thing and its value."""

COMPARED = ("phone", "email", "customer")
"""The fields of a lead by which it is compared with others."""


def marker(key: bytes) -> Mark:
    """The marks of a company, whose key is 1 to 64 secret bytes."""
    keyed = partial(blake2b, key=key, digest_size=16)
    return lambda kind, value: keyed(f"mark:{kind}\n{value}".encode()).digest()


def of_details(details: Mapping[str, Any], mark: Mark) -> dict[str, bytes]:
    """The marks of a lead's values, by field; none where there is nothing to compare."""
    return {
        field: mark(field, key)
        for field in COMPARED
        if (value := details.get(field)) and (key := contact.key(field, value))
    }
