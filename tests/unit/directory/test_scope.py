"""Row access: whose leads a person sees (R114-R116, A17, A28, A32)."""

import pytest

from aggregates.directory.scope import EVERYTHING, scope_of
from aggregates.directory.state import Person, Team
from aggregates.event import Event
from aggregates.lead.events import LeadAssigned, LeadCaptured, LeadReleasedToPool, LeadShared
from tests.unit.lead.given import CODE, NOW, lead_of

PEOPLE = {
    "chen": Person(name="chen", role="sales", team="east"),
    "li": Person(name="li", role="sales", team="south"),
    "wang": Person(name="wang", role="supervisor", team="east"),
    "zhao": Person(name="zhao", role="supervisor"),
}
TEAMS = {"east": Team(name="east"), "south": Team(name="south", supervisor="zhao")}
ENTERED = LeadCaptured(occurred_at=NOW, code=CODE, entered_by="li")
CHENS = LeadAssigned(occurred_at=NOW, owner="chen", team="east")
POOLED = LeadReleasedToPool(occurred_at=NOW, pool="公海", previous_owner="chen")
SHARED = LeadShared(occurred_at=NOW, person="li")


@pytest.mark.parametrize(
    ("history", "seen_by"),
    [
        ([ENTERED], {"li", "wang", "zhao", "mei", "boss", "eye"}),
        ([ENTERED, CHENS], {"chen", "wang", "boss", "eye"}),
        ([ENTERED, CHENS, SHARED], {"chen", "li", "wang", "boss", "eye"}),
        ([ENTERED, CHENS, POOLED], {"boss", "eye"}),
        ([CHENS, POOLED], {"boss", "eye"}),
        ([ENTERED, CHENS, SHARED, POOLED], {"boss", "eye"}),
        (
            [LeadAssigned(occurred_at=NOW, owner="li", team="east")],
            {"li", "wang", "zhao", "boss", "eye"},
        ),
    ],
    ids=[
        "entered",
        "owned",
        "shared",
        "pooled",
        "pooled by others",
        "shared and pooled",
        "another team's colleague",
    ],
)
def test_who_sees_a_lead(history: list[Event], seen_by: set[str]) -> None:
    """R114: sales their own; R115: supervisors the team's; R118: marketing before the hand-over."""
    roles = {name: person.role for name, person in PEOPLE.items()}
    roles |= {"mei": "marketing", "boss": "admin", "eye": "auditor", "ann": "analyst"}
    lead = lead_of(*history)
    scopes = {name: scope_of(name, role or "", PEOPLE, TEAMS) for name, role in roles.items()}
    assert {name for name, scope in scopes.items() if scope.sees(lead)} == seen_by


@pytest.mark.parametrize("role", ["sales", "supervisor", "marketing"])
def test_a_share_is_for_reading(role: str) -> None:
    """R56, A17: whoever it is shared with, in whatever role, sees the lead and works on no more."""
    lead = lead_of(ENTERED, CHENS, SHARED)
    people = {"li": Person(name="li", role=role, team="south")}
    scope = scope_of("li", role, people, TEAMS)
    assert scope.sees(lead) and not scope.works_on(lead)
    assert scope.works_on(lead_of(ENTERED)), "what they work on themselves"


def test_processes_see_everything() -> None:
    assert EVERYTHING.sees(lead_of(CHENS)) and EVERYTHING.works_on(lead_of(CHENS))


def test_nobody_is_not_the_one_who_entered_an_imported_lead() -> None:
    """A lead without `entered_by` is not everybody's."""
    assert not scope_of("chen", "sales", PEOPLE, TEAMS).sees(lead_of())
