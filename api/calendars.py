"""What every day is under the working calendar in force: worked or not, why, and when (A29)."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from aggregates.working_time import WorkingTime
from api import openapi
from api.problems import bad_parameter, unavailable
from api.reading import Read, allow, answer
from api.service import Service

READ = "calendar.read"
MOST_DAYS = 366


EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)

Day = Annotated[date, Field(ge=EARLIEST, le=LATEST)]


class Days(Read):
    """Which local days."""

    since: Day | None = Field(None, alias="from")
    """The first one; today, if it is not given."""
    to: Day | None = None
    """The last one, included; `from`, if it is not given. 366 days at most."""


def router(service: Service) -> APIRouter:
    """The days of the calendar."""
    routes = APIRouter(
        prefix="/v1/calendars",
        tags=["policies"],
        dependencies=[allow(service, READ)],
        responses=openapi.problems(),
        default_response_class=Response,
    )

    @routes.get("/days")
    async def list_days(query: Annotated[Days, Query()]) -> Response:
        """Each day under the calendar in force now: `works`, `why` (weekday, weekend, holiday,
        make-up or company) and the `intervals` that count.
        """
        days = _days(query, service)
        register = await service.registry.latest()
        if register.position < (query.min_position or 0):
            raise unavailable(f"the log ends at position {register.position}")
        calendar = register.policies.calendar
        special = service.holidays.special(calendar.rules.holidays)
        working = WorkingTime(calendar.rules, service.zone, special)
        body = {
            "version": calendar.ref.version,
            "items": [_shown(working, day, service) for day in days],
            "next": None,
            "position": register.position,
        }
        return answer(body, register.position)

    return routes


def _days(query: Days, service: Service) -> Sequence[date]:
    first = query.since or service.clock.now().astimezone(service.zone).date()
    number = ((query.to or first) - first).days + 1
    if not 1 <= number <= MOST_DAYS:
        raise bad_parameter("to", f"is not before `from`; {MOST_DAYS} days are the most")
    return [first + timedelta(days=n) for n in range(number)]


def _shown(working: WorkingTime, day: date, service: Service) -> dict[str, Any]:
    works, why = working.day(day)
    spans = working.intervals(day)
    return {
        "date": day,
        "works": works,
        "why": why,
        "intervals": [[at.astimezone(service.zone) for at in span] for span in spans],
    }
