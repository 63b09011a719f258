"""Public holidays, and the weekend days on which a country works instead (调休, A29)."""

from collections.abc import Callable
from datetime import date
from typing import Protocol

Special = Callable[[date], bool | None]
"""True = a working day though it is a weekend, False = a holiday, None = a day like any other."""


class Holidays(Protocol):
    """Where they come from."""

    def special(self, country: str) -> Special:
        """Those of a country by its ISO 3166 code; none for an empty one. ValueError for a country
        that nothing is known about.
        """
        ...


class NoHolidays:
    """A world in which every day is like any other."""

    def special(self, country: str) -> Special:  # noqa: ARG002 - the port
        """None of them is special."""
        return lambda _: None
