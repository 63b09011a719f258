"""What may become of people, teams and lists: given what they are, when a command comes, then."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from aggregates.directory import events as d
from aggregates.directory import person as p
from aggregates.directory.reference import add_reference, rename_reference, retire_reference
from aggregates.directory.references import initial
from aggregates.directory.register import ROLES, add_person
from aggregates.directory.state import Coverage, Person, Reference, Team, evolve, reference_id
from aggregates.directory.team import add_team, set_supervisor
from aggregates.event import Event
from aggregates.refusal import Refusal

NOW = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
WANG = Person(version=1, name="王芳", role="sales", team="华东")
LI = Person(version=1, name="李雷", role="supervisor")
MAY = {"since": date(2024, 5, 6), "until": date(2024, 5, 10)}


def change(person: Person, *leads_teams: str, **fields: Any) -> list[Event]:
    changes = p.Changes(**fields)
    duties = p.Duties(leads_teams=leads_teams)
    return p.change_person(person, now=NOW, changes=changes, duties=duties)


def after(person: Person, events: list[Event]) -> Person:
    for event in events:
        person = evolve(person, event)
    return person


def test_who_only_an_import_named_may_be_given_a_role() -> None:
    """R5."""
    named = Person(version=1, name="赵敏", team="华东")
    (event,) = add_person(named, now=NOW, name="赵敏", role="sales", team=None, email=None)
    person = after(named, [event])
    assert (person.role, person.team) == ("sales", "华东")
    with pytest.raises(Refusal, match="already in the directory"):
        add_person(person, now=NOW, name="赵敏", role="admin", team=None, email=None)


def test_nobody_is_called_as_the_rules_are() -> None:
    """R102: `by-rule` in a hand-over means the rules, never a person."""
    with pytest.raises(Refusal, match="whomever the rules choose"):
        add_person(Person(), now=NOW, name="by-rule", role="sales", team=None, email=None)


def test_one_event_for_each_thing_that_differs() -> None:
    """R34, R43."""
    coverage = Coverage(regions=("华南",))
    events = change(
        WANG, role="admin", team="华南", email="w@a.cn", coverage=coverage, weight=2, capacity=9
    )
    assert [type(event) for event in events] == [
        d.RoleChanged,
        d.PersonTeamChanged,
        d.EmailChanged,
        d.CoverageSet,
        d.WorkloadSet,
    ]
    changed = after(WANG, events)
    assert (changed.role, changed.team, changed.email) == ("admin", "华南", "w@a.cn")
    assert (changed.coverage, changed.weight, changed.capacity) == (coverage, 2, 9)
    assert change(changed, team="华南", weight=2) == [], "a repeated intent"
    assert change(WANG) == [], "nothing said, nothing changed"


def test_none_takes_away_what_a_person_had() -> None:
    with_all = after(WANG, change(WANG, email="w@a.cn", capacity=9))
    less = after(with_all, change(with_all, team=None, email=None, capacity=None))
    assert (less.team, less.email, less.capacity) == (None, None, None)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"role": "king"}, "unknown-role"),
        ({"weight": 0}, "invalid-workload"),
        ({"weight": 101}, "invalid-workload"),
        ({"capacity": -1}, "invalid-workload"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(fields: dict[str, Any], code: str) -> None:
    """A13."""
    with pytest.raises(Refusal) as refused:
        change(WANG, **fields)
    assert refused.value.code == code
    assert refused.value.field in fields


def test_who_leads_a_team_stays_its_supervisor() -> None:
    """R115: a team is not left without one by accident."""
    for decide in (
        lambda: change(LI, "华东", role="sales"),
        lambda: p.deactivate(LI, now=NOW, duties=p.Duties(leads_teams=("华东",))),
    ):
        with pytest.raises(Refusal, match="another supervisor first"):
            decide()
    assert change(LI, "华东", email="l@a.cn")


def test_absences_are_noted_once_and_cancelled() -> None:
    """A13: local dates, both included."""
    (event,) = p.note_absence(WANG, now=NOW, **MAY, reason="年假")
    away = evolve(WANG, event)
    assert p.note_absence(away, now=NOW, **MAY) == []
    back = after(away, p.cancel_absence(away, now=NOW, **MAY))
    assert back.absences == ()
    assert p.cancel_absence(back, now=NOW, **MAY) == []
    one_day = date(2024, 5, 6)
    assert p.note_absence(WANG, now=NOW, since=one_day, until=one_day)
    for until in (date(2024, 5, 5), date(2030, 5, 5)):
        with pytest.raises(Refusal):
            p.note_absence(WANG, now=NOW, since=one_day, until=until)


def test_nobody_leaves_while_leads_remain() -> None:
    """R102, R103."""
    with pytest.raises(Refusal, match="still owns 2 open leads") as refused:
        p.deactivate(WANG, now=NOW, duties=p.Duties(open_leads=2))
    assert (refused.value.code, refused.value.field) == ("leads-remain", "hand_over")
    (event,) = p.deactivate(WANG, now=NOW, duties=p.Duties(), reason="离职", handed_over_to="李雷")
    assert event == d.PersonDeactivated(
        occurred_at=NOW, name="王芳", reason="离职", handed_over_to="李雷"
    )
    gone = evolve(WANG, event)
    assert p.deactivate(gone, now=NOW, duties=p.Duties(open_leads=2)) == [], "gone already"
    assert after(gone, p.reactivate(gone, now=NOW)).active
    assert p.reactivate(WANG, now=NOW) == []


def test_nothing_becomes_of_somebody_unknown() -> None:
    for decide in (
        lambda: change(Person(), weight=2),
        lambda: p.note_absence(Person(), now=NOW, **MAY),
        lambda: p.cancel_absence(Person(), now=NOW, **MAY),
        lambda: p.deactivate(Person(), now=NOW, duties=p.Duties()),
        lambda: p.reactivate(Person(), now=NOW),
    ):
        with pytest.raises(Refusal) as refused:
            decide()
        assert refused.value.code == "no-such-person"


def test_a_team_has_a_supervisor_who_is_one() -> None:
    """R5, R115."""
    events = add_team(Team(), now=NOW, name="华东", supervisor=LI)
    assert events == [
        d.TeamAdded(occurred_at=NOW, name="华东"),
        d.SupervisorSet(occurred_at=NOW, name="华东", supervisor="李雷"),
    ]
    team = Team(version=2, name="华东", supervisor="李雷")
    for again in (LI, None):
        assert add_team(team, now=NOW, name="华东", supervisor=again) == []
    assert set_supervisor(team, now=NOW, supervisor=LI) == []
    assert set_supervisor(team, now=NOW, supervisor=None)
    han = Person(version=1, name="韩梅", role="supervisor")
    with pytest.raises(Refusal, match="led by 李雷"):
        add_team(team, now=NOW, name="华东", supervisor=han)
    for wrong in (WANG, Person(name="李雷", role="supervisor", active=False)):
        with pytest.raises(Refusal, match="an active person whose role is supervisor"):
            set_supervisor(team, now=NOW, supervisor=wrong)
    with pytest.raises(Refusal, match="no such team"):
        set_supervisor(Team(), now=NOW, supervisor=None)


def test_an_entry_of_a_list_comes_goes_and_comes_back() -> None:
    """R20, R21: what is built in like what is added."""
    website = initial(reference_id("source", "官网注册"))
    assert (website.kind, website.english, website.active) == ("source", "website", True)
    named = {"now": NOW, "kind": "source", "name": "官网注册"}
    assert add_reference(website, **named, english=None) == []
    with pytest.raises(Refusal, match="rename it"):
        add_reference(website, **named, english="web")
    assert rename_reference(website, now=NOW, english="website") == []
    assert rename_reference(website, now=NOW, english="web")
    assert retire_reference(website, now=NOW)
    retired = Reference(version=1, kind="source", name="官网注册", active=False)
    assert retire_reference(retired, now=NOW) == []
    assert add_reference(retired, **named, english=None)
    unknown = initial(reference_id("source", "短视频"))
    for decide in (
        lambda: retire_reference(unknown, now=NOW),
        lambda: rename_reference(unknown, now=NOW, english="x"),
        lambda: add_reference(unknown, now=NOW, kind="colour", name="红", english=None),
    ):
        with pytest.raises(Refusal):
            decide()


@pytest.mark.parametrize("role", ROLES)
def test_every_role_can_be_given(role: str) -> None:
    assert add_person(Person(), now=NOW, name="a", role=role, team=None, email=None)
