"""Which messages do not hold any more when they are to be sent (R36, R40, R102, R107)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from aggregates.directory.state import Person, Team
from commands.notifications import Message, Standing
from commands.register import Register
from processes.moot import is_moot, may_know
from projections.messages import KINDS, REVIEW

AT = datetime(2024, 5, 1, tzinfo=UTC)
REGISTER = Register(
    people={
        "chen": Person(role="sales", team="east"),
        "li": Person(role="sales", team="west"),
        "wang": Person(role="supervisor", team="east"),
        "zhou": Person(role="supervisor", team="west"),
        "mei": Person(role="marketing"),
        "boss": Person(role="admin"),
    },
    teams={"east": Team(supervisor="wang"), "west": Team(supervisor="zhou")},
)
TASKS = {
    "first-follow-up": "chen", "late-reason": "chen", "complete-info": "chen", "回访": "chen",
}  # fmt: skip
CHENS = Standing("chen", "east", "mei", paused=False, over=False, tasks=TASKS)
NOBODYS = Standing(None, "east", "mei", paused=False, over=False, tasks=dict.fromkeys(TASKS))
LIS = CHENS._replace(owner="li", team="west", tasks=dict.fromkeys(TASKS, "li"))
TO_THE_OWNER = (
    "first-follow-up", "assigned", "resumed", "complete-info", "info-overdue",
    "first-response-late", "late-reason", "task-overdue",
)  # fmt: skip
TO_SUPERVISORS: Mapping[str, Standing] = {
    "info-overdue": CHENS, "escalated": CHENS, "nobodys-task": NOBODYS,
    "assignment-failed": NOBODYS,
}  # fmt: skip


def message(kind: str, recipient: str, **about: Any) -> Message:
    owner = None if kind in ("nobodys-task", "assignment-failed") else "chen"
    return Message(
        UUID(int=7), kind, recipient, 1, AT, about={"task": "回访", "owner": owner} | about
    )


def test_every_kind_is_judged() -> None:
    assert {*TO_THE_OWNER, *TO_SUPERVISORS, REVIEW} == set(KINDS)


@pytest.mark.parametrize("kind", TO_THE_OWNER)
def test_a_message_to_the_owner(kind: str) -> None:
    """It holds as long as the lead, or the task, is theirs and goes on."""
    told = message(kind, "chen")
    assert not is_moot(told, CHENS, REGISTER)
    for changed in (LIS, NOBODYS, CHENS._replace(paused=True), CHENS._replace(over=True)):
        assert is_moot(told, changed, REGISTER)
    if kind not in ("assigned", "resumed"):
        assert is_moot(told, CHENS._replace(tasks={}), REGISTER), "done"


@pytest.mark.parametrize("kind", TO_SUPERVISORS)
@pytest.mark.parametrize("recipient", ["wang", "boss"])
def test_a_message_to_a_supervisor(kind: str, recipient: str) -> None:
    """It holds as long as it is true, and theirs to look after."""
    told, lead = message(kind, recipient), TO_SUPERVISORS[kind]
    assert not is_moot(told, lead, REGISTER)
    for changed in (LIS, lead._replace(paused=True), lead._replace(over=True)):
        assert is_moot(told, changed, REGISTER)
    assert is_moot(message(kind, "li"), lead, REGISTER)
    if kind != "assignment-failed":
        assert is_moot(told, lead._replace(tasks={}), REGISTER), "done"


def test_whoever_leads_no_longer_the_team_is_not_told() -> None:
    told = message("escalated", "wang")
    moved = {**REGISTER.people, "wang": Person(role="supervisor", team="west")}
    teams = {"east": Team(supervisor="boss"), "west": Team(supervisor="wang")}
    assert is_moot(told, CHENS, replace(REGISTER, people=moved, teams=teams))


def test_who_entered_a_lead_completes_it() -> None:
    """A8: it is their task until the lead has an owner."""
    entered = NOBODYS._replace(tasks={"complete-info": "li"}, entered_by="li")
    assert not is_moot(message("complete-info", "li"), entered, REGISTER)
    assert is_moot(message("complete-info", "li"), CHENS, REGISTER)


@pytest.mark.parametrize(
    ("lead", "expected"),
    [
        (CHENS, {"chen", "wang", "boss"}),
        (LIS, {"li", "zhou", "boss"}),
        (NOBODYS, {"wang", "zhou", "mei", "boss"}),
        (NOBODYS._replace(entered_by="li"), {"li", "wang", "zhou", "mei", "boss"}),
    ],
    ids=["theirs", "the other team's", "nobody's", "entered"],
)
def test_who_may_know_the_customer(lead: Standing, expected: set[str]) -> None:
    """Decision 8, R114-R116: those who see the lead."""
    assert {name for name in REGISTER.people if may_know(name, lead, REGISTER)} == expected
