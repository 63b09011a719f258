"""Public holidays and make-up working days, from the library `holidays` (A29)."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache

import holidays


class PublicHolidays:
    """The `Holidays` port. For years that a government has not announced yet, the library knows
    the statutory days alone, without make-up days.
    """

    def special(self, country: str) -> Callable[[date], bool | None]:
        """What is special about a day in a country. ValueError for an unknown one."""
        return _special(country)


@lru_cache(maxsize=8)
def _special(country: str) -> Callable[[date], bool | None]:
    if not country:
        return lambda _: None
    try:
        known = holidays.country_holidays(country)
    except NotImplementedError:
        raise ValueError(f"{country} is no country whose holidays are known") from None

    def special(day: date) -> bool | None:
        is_holiday = day in known  # loads the day's year
        if day in known.weekend_workdays:
            return True
        return False if is_holiday else None

    return special
