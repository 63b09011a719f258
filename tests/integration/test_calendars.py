"""The working calendar over HTTP: what each day is, and why (A29)."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.integration.api_client import Api, problem
from tests.integration.program import Program

pytestmark = pytest.mark.anyio

DAYS = "/v1/calendars/days"


async def days(api: Api, first: str, last: str) -> dict[str, dict[str, Any]]:
    answer = await api.get(DAYS, params={"from": first, "to": last}, role="sales")
    assert answer.status_code == 200, answer.text
    return {item["date"]: item for item in answer.json()["items"]}


async def test_each_day_says_whether_it_is_worked_and_why(api: Api) -> None:
    """A29: holiday, make-up day (调休), weekend, weekday; intervals with the company's offset."""
    found = await days(api, "2024-04-27", "2024-05-12")
    assert len(found) == 16
    why = {day: (item["works"], item["why"]) for day, item in found.items()}
    assert why["2024-04-27"] == (False, "weekend")
    assert why["2024-04-28"] == why["2024-05-11"] == (True, "make-up")
    assert why["2024-05-01"] == (False, "holiday")
    assert why["2024-05-06"] == (True, "weekday")
    assert found["2024-05-01"]["intervals"] == []
    assert found["2024-04-28"]["intervals"] == [
        ["2024-04-28T09:00:00+08:00", "2024-04-28T12:00:00+08:00"],
        ["2024-04-28T13:30:00+08:00", "2024-04-28T18:00:00+08:00"],
    ]


async def test_the_calendar_in_force_decides(api: Api) -> None:
    """A29: exceptions of the company, at once in this process; the version is named."""
    document = {"closed": ["2024-05-06"], "open": ["2024-05-12"], "intervals": ["20:00-24:00"]}
    answer = await api.post("/v1/calendars", {"document": document})
    assert answer.status_code == 201, answer.text
    found = await days(api, "2024-05-06", "2024-05-12")
    assert (found["2024-05-06"]["works"], found["2024-05-06"]["why"]) == (False, "company")
    assert (found["2024-05-12"]["works"], found["2024-05-12"]["why"]) == (True, "company")
    assert found["2024-05-12"]["intervals"] == [
        ["2024-05-12T20:00:00+08:00", "2024-05-13T00:00:00+08:00"]
    ]
    today = await api.get(DAYS)
    assert (today.json()["version"], len(today.json()["items"])) == (2, 1)
    position = int(answer.headers["leadlog-position"])
    assert today.json()["position"] >= position
    assert date.fromisoformat(today.json()["items"][0]["date"]).year >= 2024
    late = await api.get(DAYS, params={"min_position": position + 1_000})
    problem(late, 503, "unavailable")


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"from": "2024-01-01", "to": "2024-12-31"}, 200),
        ({"from": "2024-01-01", "to": "2025-01-01"}, 400),
        ({"from": "2024-01-02", "to": "2024-01-01"}, 400),
        ({"from": "1899-12-31"}, 422),
        ({"from": "2199-12-31"}, 200),
        ({"from": "9999-12-31"}, 422),
        ({"from": "yesterday"}, 422),
        ({"since": "2024-01-01"}, 422),
    ],
)
async def test_a_range_is_366_days_at_most(
    api: Api, params: dict[str, str], status: int
) -> None:  # fmt: skip
    answer = await api.get(DAYS, params=params)
    assert answer.status_code == status, answer.text
    if status != 200:
        problem(answer, status, {400: "invalid-parameter", 422: "invalid-request"}[status])


async def test_a_calendar_that_cannot_be_followed_is_refused(api: Api) -> None:
    """A29: an unknown country, and one whose working time is too little for the time limits."""
    answer = await api.post("/v1/calendars", {"document": {"holidays": "XX"}})
    (error,) = problem(answer, 422, "invalid-policy")["errors"]
    assert error["pointer"] == "#/document/holidays"
    response = {"document": {"clock": "working"}}
    assert (await api.post("/v1/policies/response/versions", response)).status_code == 201
    little = {"document": {"intervals": ["09:00-09:01"]}}
    problem(await api.post("/v1/calendars", little), 422, "invalid-policy")
    assert len((await api.get("/v1/calendars")).json()["items"]) == 1


def test_the_command_line_refuses_it_too(dsn: str, tmp_path: Path) -> None:
    """A29."""
    file = tmp_path / "calendar.toml"
    file.write_text('holidays = "XX"\n')
    Program(dsn)("policy", "activate", "calendar", str(file), refused="XX is no country")
