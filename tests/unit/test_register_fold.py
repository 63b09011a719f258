"""The register is the fold of what the log says of the company."""

import logging
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from aggregates.directory import events as d
from aggregates.directory.state import Absence, Coverage
from aggregates.event import Event, Recorded
from aggregates.lead.events import LeadReopened
from aggregates.policy.activate import Versions, activate, evolve, initial, policy_id
from aggregates.policy.book import BUILT_IN
from aggregates.policy.events import PolicyVersionActivated
from aggregates.policy.work import PauseRules
from commands.register import Register, advance

AT = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)


def recorded(*events: Event, after: int = 0) -> list[Recorded]:
    return [Recorded(n, UUID(int=0), n, AT, event) for n, event in enumerate(events, after + 1)]


def told(*events: Event) -> Register:
    return advance(Register(), recorded(*events))


def test_people_and_teams_are_known_by_name() -> None:
    """R5, R34, R43: what assignment asks of people."""
    register = told(
        d.TeamAdded(name="华东"),
        d.SupervisorSet(name="华东", supervisor="李雷"),
        d.PersonAdded(name="王芳", role="sales", team="华东"),
        d.CoverageSet(name="王芳", regions=("华东",), industries=("教育",)),
        d.WorkloadSet(name="王芳", weight=0.5, capacity=30),
        d.AbsenceNoted(name="王芳", since=date(2024, 5, 6), until=date(2024, 5, 7)),
        d.AbsenceNoted(name="王芳", since=date(2024, 5, 1), until=date(2024, 5, 2)),
        d.AbsenceCancelled(name="王芳", since=date(2024, 5, 6), until=date(2024, 5, 7)),
    )
    person = register.people["王芳"]
    assert (person.role, person.team, person.version) == ("sales", "华东", 6)
    assert person.coverage == Coverage(regions=("华东",), industries=("教育",))
    assert (person.weight, person.capacity) == (0.5, 30)
    assert person.absences == (Absence(date(2024, 5, 1), date(2024, 5, 2)),)
    assert register.teams["华东"].supervisor == "李雷"
    assert register.teams_led_by("李雷") == ("华东",)
    assert register.position == 8


def test_who_left_is_known_and_inactive() -> None:
    """R102."""
    left = told(d.PersonAdded(name="王芳", role="sales"), d.PersonDeactivated(name="王芳"))
    assert not left.people["王芳"].active
    back = advance(left, recorded(d.PersonReactivated(name="王芳"), after=2))
    assert back.people["王芳"].active
    assert back.people["王芳"].role == "sales"


def test_a_change_leaves_the_register_before_it_alone() -> None:
    before = told(d.PersonAdded(name="王芳", role="sales"))
    after = advance(before, recorded(d.RoleChanged(name="王芳", role="admin"), after=1))
    assert (before.people["王芳"].role, after.people["王芳"].role) == ("sales", "admin")
    assert advance(after, []) == after


def test_events_of_leads_only_move_the_position() -> None:
    assert told(LeadReopened()) == Register(position=1)


def test_entries_join_the_built_in_lists_and_leave_them() -> None:
    """R20, R21."""
    register = told(
        d.ReferenceAdded(kind="source", name="短视频", english="short video"),
        d.ReferenceRetired(kind="source", name="官网注册"),
        d.ReferenceRenamed(kind="region", name="华东", english="East"),
    )
    sources = register.references["source"]
    assert sources["短视频"].active
    assert not sources["官网注册"].active
    assert sources["官网注册"].english == "website"
    assert sources["转介绍"].english == "referral"
    assert register.references["region"]["华东"].english == "East"
    assert Register().references["source"]["官网注册"].active, "the built-in list is untouched"


def activated(rules: object, kind: str = "pause", after: Versions | None = None) -> list[Event]:
    return list(activate(after or initial(policy_id(kind)), now=AT, rules=rules))


def test_an_activated_version_is_in_force_and_cited() -> None:
    """A6, A18: a decision cites the version it followed."""
    (event,) = activated(PauseRules(max_days=60))
    pause = told(event).policies.pause
    assert pause.rules == PauseRules(max_days=60)
    assert (pause.ref.kind, pause.ref.version) == ("pause", 2)
    assert pause.ref.hash != BUILT_IN["pause"].ref.hash
    assert Register().policies.pause == BUILT_IN["pause"]


def test_versions_count_from_the_built_in_one() -> None:
    (second,) = activated(PauseRules(max_days=60))
    state = evolve(initial(policy_id("pause")), second)
    assert activated(PauseRules(max_days=60), after=state) == [], "in force already"
    (third,) = activated(PauseRules(), after=state)
    assert told(second, third).policies.pause.ref.version == 3
    assert activated(PauseRules()) == [], "so is what is built in"


def test_a_stored_document_of_another_shape_still_loads() -> None:
    """Missing fields have their defaults; fields of another program do no harm."""
    event = PolicyVersionActivated(kind="response", version=2, document={"new": 1}, hash="ab")
    response = told(event).policies.response
    assert response.rules == BUILT_IN["response"].rules
    assert (response.ref.version, response.ref.hash) == (2, "ab")


@pytest.mark.parametrize(
    ("kind", "document"), [("pause", {"max_days": 0}), ("pause", {"max_days": "x"}), ("new", {})]
)
def test_an_unreadable_document_leaves_the_version_before(
    kind: str, document: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """evolve never refuses."""
    event = PolicyVersionActivated(kind=kind, version=2, document=document, hash="ab")
    with caplog.at_level(logging.ERROR):
        assert told(event).policies == Register().policies
    assert "the version before stays in force" in caplog.text
