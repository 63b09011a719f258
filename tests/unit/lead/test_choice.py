"""Whom the rules give a lead, and why: R6, R31-R35, R43, R44, A9, A13."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from random import Random
from typing import Any

import pytest

from aggregates.directory.state import Absence, Coverage, Person, Team
from aggregates.lead.choice import MOST_NAMED, Choice, Chooser, Load, kind_of, profile_of
from aggregates.policy.book import cite
from aggregates.policy.ownership import Assignment, AssignmentRule, Target
from tests.seed import SEED

DAY = date(2024, 5, 6)
EVERYBODY = Target(kind="everybody")
NOBODY_IN = Target(kind="team", name="nobody's")


def person(name: str, **more: Any) -> Person:
    return Person(name=name, role=more.pop("role", "sales"), **more)


def rule(name: str, kind: Any, of: str, **matches: Any) -> AssignmentRule:
    return AssignmentRule(name=name, target=Target(kind=kind, name=of), **matches)


def choose(
    *people: Person,
    rules: tuple[AssignmentRule, ...] = (),
    default: Target = EVERYBODY,
    loads: Mapping[str, Load | int] | None = None,
    profile: Mapping[str, Any] | None = None,
    without: str | None = None,
    **supervisors: str,
) -> Choice:
    policy = Assignment(rules=rules, default=default)
    teams = {team: Team(name=team, supervisor=who) for team, who in supervisors.items()}
    by_name = {str(p.name): p for p in people}
    given = {n: Load(load) if isinstance(load, int) else load for n, load in (loads or {}).items()}
    chooser = Chooser(policy, cite("assignment", 2, policy), by_name, teams, DAY)
    return chooser.choose(profile or {}, given, without=without)


def left_out(choice: Choice) -> dict[str, str]:
    return {out["person"]: out["why"] for out in choice.explanation.get("left_out", ())}


def test_a_region_goes_to_a_team() -> None:
    """R32: 华东地区线索分配至某团队."""
    east = rule("east", "team", "east", regions=("华东",))
    people = person("chen", team="east"), person("li", team="south")
    choice = choose(*people, rules=(east,), loads={"chen": 9}, profile={"region": "华东"})
    assert (choice.owner, choice.team) == ("chen", "east")
    assert (choice.explanation["rule"], choice.explanation["target"]) == (
        "east",
        {"kind": "team", "name": "east"},
    )
    other = choose(*people, rules=(east,), loads={"chen": 9}, profile={"region": "华南"})
    assert (other.owner, other.explanation["rule"]) == ("li", None)


def test_an_industry_goes_to_the_supervisor_first() -> None:
    """R33, A9: 制造业线索优先分配给主管: the first rule that matches decides."""
    rules = (
        rule("makers", "supervisor", "east", industries=("制造业",)),
        rule("east", "team", "east", regions=("华东",)),
    )
    people = person("wang", role="supervisor", team="east"), person("chen", team="east")
    maker = {"region": "华东", "industry": "制造业"}
    choice = choose(*people, rules=rules, profile=maker, loads={"wang": 50}, east="wang")
    assert (choice.owner, choice.team, choice.explanation["rule"]) == ("wang", "east", "makers")
    other = choose(*people, rules=rules, profile={"region": "华东"}, east="wang")
    assert (other.owner, other.explanation["rule"]) == ("chen", "east")


def test_somebody_answers_for_a_region_and_an_industry() -> None:
    """R34: *某负责华南地区教育行业线索, as a rule and as a person's coverage."""
    both = {"region": "华南", "industry": "教育"}
    hers = rule("hers", "person", "li", regions=("华南",), industries=("教育",))
    assert choose(person("chen"), person("li"), rules=(hers,), profile=both).owner == "li"
    half = choose(person("chen"), person("li"), rules=(hers,), profile={"region": "华南"})
    assert half.owner == "chen"
    covers = person("li", coverage=Coverage(regions=("华南",), industries=("教育",)))
    choice = choose(person("chen"), covers, loads={"chen": 1}, profile=both)
    assert choice.owner == "li"
    elsewhere = choose(person("chen"), covers, loads={"chen": 1}, profile={"region": "华南"})
    assert (elsewhere.owner, left_out(elsewhere)) == ("chen", {"li": "does not cover it"})


@pytest.mark.parametrize(
    ("field", "matches"),
    [
        ("region", "regions"),
        ("industry", "industries"),
        ("customer_type", "customer_types"),
        ("source", "sources"),
        ("level", "levels"),
    ],
)
def test_rules_look_at_every_field_of_the_policy(field: str, matches: str) -> None:
    """R6: by region, industry or customer type; and source and level."""
    to_li = AssignmentRule(
        name="r", target=Target(kind="person", name="li"), **{matches: ("a", "b")}
    )
    people = person("chen"), person("li")
    assert choose(*people, rules=(to_li,), profile={field: "b"}).owner == "li"
    assert choose(*people, rules=(to_li,), profile={field: "c"}).owner == "chen"
    assert choose(*people, rules=(to_li,), profile={}).owner == "chen"


def test_a_pool_is_a_target() -> None:
    """A9: a target may be a queue."""
    choice = choose(person("chen"), default=Target(kind="pool", name="公海"))
    assert (choice.owner, choice.pool) == (None, "公海")


def test_the_least_loaded_gets_it() -> None:
    """R43, A13."""
    choice = choose(person("a"), person("b"), loads={"a": 3, "b": 2})
    assert choice.owner == "b"
    assert choice.explanation["candidates"] == [
        {"person": "b", "load": 2, "weight": 1.0, "last_given": 0},
        {"person": "a", "load": 3, "weight": 1.0, "last_given": 0},
    ]


def test_a_weight_makes_the_same_load_lighter() -> None:
    """R43: company strategy; half the weight, half the leads."""
    people = person("a", weight=1.0), person("b", weight=0.5)
    assert choose(*people, loads={"a": 3, "b": 2}).owner == "a"
    assert choose(*people, loads={"a": 5, "b": 2}).owner == "b"


def test_among_equals_who_has_waited_longest() -> None:
    """R44: and then by name, so that everybody who asks gets the same answer."""
    people = [person(name) for name in ("c", "a", "b")]
    waited = {"a": Load(1, 30), "b": Load(1, 10), "c": Load(1, 20)}
    assert choose(*people, loads=waited).owner == "b"
    assert choose(*people).owner == "a"


def test_who_left_or_is_away_gets_nothing() -> None:
    """SuiteCRM #8935: round robin gives leads to inactive or dismissed people."""
    away = person("away", absences=(Absence(DAY, DAY),))
    back = person("back", absences=(Absence(date(2024, 5, 1), date(2024, 5, 5)),))
    gone = person("gone", active=False)
    choice = choose(away, back, gone, loads={"back": 99})
    assert choice.owner == "back"
    assert left_out(choice) == {"away": "absent", "gone": "inactive"}
    to_gone = rule("r", "person", "gone")
    assert choose(back, gone, rules=(to_gone,)).owner == "back"
    to_nobody = rule("r", "person", "unheard of")
    choice = choose(back, rules=(to_nobody,))
    assert choice.explanation["nobody_free"]["left_out"] == [
        {"person": "unheard of", "why": "unknown"}
    ]


def test_at_capacity_nothing_more() -> None:
    """chatwoot #11034: one agent overloaded."""
    choice = choose(person("a", capacity=2), person("b"), loads={"a": 2, "b": 7})
    assert (choice.owner, left_out(choice)) == ("b", {"a": "at capacity"})
    assert choose(person("a", capacity=2), person("b"), loads={"a": 1, "b": 7}).owner == "a"


def test_a_holiday_has_no_echo() -> None:
    """odoo PR #68475: a maximum of 0 for a holiday echoes every 30 days. Here only leads that
    are open count, so who comes back is level with the others for good.
    """
    loads = Counter(a=20, b=20, c=0)
    order = []
    for turn in range(1, 200):
        given = {name: Load(load, turn) for name, load in loads.items()}
        owner = choose(*(person(name) for name in loads), loads=given).owner
        assert owner
        loads[owner] += 1
        order.append(owner)
    assert max(loads.values()) - min(loads.values()) <= 1
    assert abs(order[60:].count("c") - order[60:].count("a")) <= 1


def test_other_roles_own_nothing_by_rule() -> None:
    """A28: marketing screens, sales follows."""
    people = (person("m", role="marketing"), person("s", role="supervisor"), person("x", role=None))
    choice = choose(*people)
    assert (choice.owner, choice.pool) == (None, None)
    to_m = rule("r", "person", "m")
    choice = choose(*people, rules=(to_m,))
    assert choice.explanation["nobody_free"]["left_out"] == [
        {"person": "m", "why": "owns no leads"}
    ]


def test_a_match_with_nobody_free_goes_to_the_default() -> None:
    """Requirements section 5: team on holiday: the default gets the lead and the event says why."""
    away = person("away", team="east", absences=(Absence(DAY, DAY),))
    east = rule("east", "team", "east", regions=("华东",))
    choice = choose(away, person("li"), rules=(east,), profile={"region": "华东"})
    assert choice.owner == "li"
    why = choice.explanation
    assert (why["rule"], why["by_default"], why["target"]) == ("east", True, {"kind": "everybody"})
    assert why["nobody_free"] == {
        "target": {"kind": "team", "name": "east"},
        "left_out": [{"person": "away", "why": "absent"}],
    }


def test_the_default_person_is_never_too_busy() -> None:
    """R8, R103: everybody at capacity: the mandatory default gets the lead; never nobody."""
    boss = person("boss", role="admin", capacity=0)
    to_boss = Target(kind="person", name="boss")
    choice = choose(person("a", capacity=1), boss, rules=(rule("r", "person", "a"),),
                    loads={"a": 1}, default=to_boss)  # fmt: skip
    assert (choice.owner, choice.explanation["by_default"]) == ("boss", True)
    away = person("boss", role="admin", absences=(Absence(DAY, DAY),))
    assert choose(away, default=to_boss).owner is None


@pytest.mark.parametrize("default", [EVERYBODY, Target(kind="team", name="east")])
def test_the_default_never_gives_a_lead_to_nobody(default: Target) -> None:
    """Requirements section 5: no rule matches, everybody at capacity: the default gets the lead and
    the event says why. Who has room comes first, and who covers the lead.
    """
    full = [person(name, capacity=2, team="east") for name in ("a", "b")]
    choice = choose(*full, default=default, loads={"a": 5, "b": 2})
    assert (choice.owner, choice.team) == ("b", "east")
    assert choice.explanation["over_capacity"] is True
    assert [c["person"] for c in choice.explanation["candidates"]] == ["b", "a"]
    assert not left_out(choice)
    choice = choose(*full, person("c", team="east"), default=default, loads={"a": 2, "b": 2})
    assert (choice.owner, left_out(choice)) == ("c", {"a": "at capacity", "b": "at capacity"})
    assert "over_capacity" not in choice.explanation
    covers = person("c", team="east", coverage=Coverage(regions=("华南",)))
    choice = choose(*full, covers, default=default, loads={"a": 2, "b": 2})
    assert (choice.owner, left_out(choice)) == ("a", {"c": "does not cover it"})
    choice = choose(covers, default=default)
    assert choice.owner == "c"
    assert choice.explanation["outside_coverage"] is True
    assert choose(full[0], default=default, loads={"a": 2}, without="a").owner is None


def test_a_match_at_capacity_goes_to_the_default() -> None:
    """Only the default has to take it."""
    choice = choose(person("a", capacity=1), person("b", capacity=1), loads={"a": 1, "b": 3},
                    rules=(rule("r", "person", "b"),))  # fmt: skip
    assert choice.owner == "a"
    assert choice.explanation["nobody_free"]["left_out"] == [{"person": "b", "why": "at capacity"}]
    assert choice.explanation["over_capacity"] is True


def test_leads_of_one_kind_go_the_same_way() -> None:
    """What is tried again is asked for once per kind."""
    profile = {"region": "华东", "level": "high", "customer": "A"}
    assert kind_of(profile) == kind_of({**profile, "customer": "B"})
    others = dict.fromkeys(("region", "industry", "customer_type", "source", "level"), "other")
    for name, value in others.items():
        assert kind_of({**profile, name: value}) != kind_of(profile)
    assert profile_of(kind_of(others)) == others


def test_nobody_at_all_is_said() -> None:
    """R8: silent non-assignment is what odoo #115893 is about."""
    choice = choose(person("a", active=False))
    assert (choice.owner, choice.team, choice.pool) == (None, None, None)
    assert left_out(choice) == {"a": "inactive"}
    assert choose(default=NOBODY_IN).owner is None


def test_a_supervisor_that_is_not_there() -> None:
    first = rule("r", "supervisor", "east")
    assert choose(person("a"), rules=(first,)).owner == "a"
    gone = person("wang", role="supervisor", active=False)
    assert choose(person("a"), gone, rules=(first,), east="wang").owner == "a"


def test_a_hand_over_leaves_the_leaver_out() -> None:
    """R102."""
    assert choose(person("a"), person("b"), loads={"b": 50}, without="a").owner == "b"
    assert choose(person("a"), without="a").owner is None


def test_an_explanation_stays_small() -> None:
    """R43: with 1,000 people on either side it names ten and counts the rest."""
    people = [person(f"p{n:04}") for n in range(1000)]
    people += [person(f"x{n:04}", active=n % 2 > 0, capacity=0) for n in range(1000)]
    why = choose(*people).explanation
    assert len(why["candidates"]) == len(why["left_out"]) == MOST_NAMED
    assert why["more_candidates"] == 1000 - MOST_NAMED
    assert sum(why["more_left_out"].values()) == 1000 - MOST_NAMED
    assert why["policy"]["kind"] == "assignment"
    assert (why["policy"]["version"], len(why["policy"]["hash"])) == (2, 64)


@pytest.mark.parametrize("number", range(20))
def test_bursts_spread_by_weight(number: int) -> None:
    """R44: counted one by one, everybody is within one lead of their share."""
    print(f"SEED={SEED}")
    rng = Random(f"{SEED}-{number}")
    weights = {f"p{n}": rng.choice((0.5, 1.0, 2.0)) for n in range(rng.randint(2, 8))}
    loads: Counter[str] = Counter()
    for turn in range(1, 1 + 300):
        given = {name: Load(load, turn) for name, load in loads.items()}
        owner = choose(*(person(n, weight=w) for n, w in weights.items()), loads=given).owner
        assert owner
        loads[owner] += 1
    share = 300 / sum(weights.values())
    assert all(abs(loads[name] / w - share) <= 1 / min(w, 1) for name, w in weights.items())
