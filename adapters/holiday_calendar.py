"""Public holidays and make-up working days, from the library `holidays` (A29)."""

from collections.abc import Callable, Set
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import holidays


class PublicHolidays:
    """The `Holidays` port. For years that a government has not announced yet, the library knows
    the statutory days alone: neither make-up days nor the days off that are made up for.
    """

    def special(self, country: str) -> Callable[[date], bool | None]:
        """What is special about a day in a country. ValueError for an unknown one."""
        if not country:
            return lambda _: None
        if country not in holidays.list_supported_countries():
            raise ValueError(
                f"{country} is no country whose holidays are known: name another one such as CN,"
                " or leave it empty and list the days in closed and open"
            )

        def special(day: date) -> bool | None:
            year = _year(country, day.year)
            return True if day in year.made_up else False if day in year.off else None

        return special


class _Year(NamedTuple):
    off: Set[date]
    made_up: Set[date]


@lru_cache(maxsize=512)
def _year(country: str, year: int) -> _Year:
    known = holidays.country_holidays(country, years=year)
    return _Year(frozenset(known), frozenset(known.weekend_workdays))
