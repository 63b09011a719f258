"""Rules of time that could never ring are refused: those whose working hours run short (A29)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from aggregates.policy.book import InForce, Policies
from aggregates.policy.entry import Completeness
from aggregates.policy.time import Calendar, Response
from aggregates.working_time import WorkingTime
from commands.holidays import Holidays
from commands.policy_documents import InvalidPolicy

UTC = ZoneInfo("UTC")
KINDS = {Calendar: "calendar", Response: "response", Completeness: "completeness"}


def require_working_time(rules: Any, policies: Policies, holidays: Holidays, now: datetime) -> None:
    """InvalidPolicy when a calendar is of a country that is not known or has no working time, and
    when calendar and time limits would not come together within ten years. `policies` are those
    in force otherwise.
    """
    kind = KINDS.get(type(rules))
    if kind is None:
        return
    policies = replace(policies, **{kind: InForce(rules, getattr(policies, kind).ref)})
    calendar = policies.calendar.rules
    try:
        special = holidays.special(calendar.holidays)
    except ValueError as error:
        raise InvalidPolicy(kind, [(("holidays",), str(error))]) from None
    working = WorkingTime(calendar, UTC, special)  # how much there is does not hang on the zone
    try:
        working.after(now, _longest(policies))
    except ValueError as error:
        raise InvalidPolicy(kind, [((), str(error))]) from None


def _longest(policies: Policies) -> timedelta:
    """The longest time that may have to be counted in working hours."""
    response = policies.response.rules
    if response.clock == "wall":
        return timedelta.resolution
    return max(policies.completeness.rules.complete_within, response.longest)
