"""A replay against the lead as it is read, and its clocks against an independent schedule."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec
import pytest

from adapters.postgres.codec import decode
from aggregates.event import Meta, Recorded
from aggregates.lead.evolve import fold
from aggregates.lead.replay import Step, Told, known, named, replay
from aggregates.lead.state import Lead
from aggregates.policy.book import Policies
from api.lead_json import lead_json
from api.replay_json import step_json
from projections.base import visible
from tests.checker_fold import Fact
from tests.checker_schedule import WALL, WORKING, Rules, TimedLead, as_text
from tests.checker_time import by_lead, lived
from tests.conformance.histories import FIRST_DAY, Entry, history
from tests.conformance.timed_log import random_log
from tests.seed import SEED
from tests.size import size
from tests.unit.lead import timed
from tests.unit.lead.timed import local

ZONE = ZoneInfo("Asia/Shanghai")
JSON = dict[str, Any]
OTHERWISE = frozenset(("id", "version", "timers", "due_at", "overdue", "attributes", "conversion"))
"""Of a lead: what a step does not have as a field of this name."""


def folded(steps: Iterable[JSON]) -> tuple[JSON, JSON]:
    """The fields and the clocks of a lead as its steps left them."""
    fields: JSON = {}
    clocks: JSON = {}
    for step in steps:
        for name, change in step["changes"].items():
            assert change["before"] == fields.get(name, change["before"]), (step, name)
            fields[name] = change["after"]
        for turn in step["timers"]:
            assert turn["before"] == clocks.get(turn["name"]), step
            clocks[turn["name"]] = turn["after"]
    return fields, {name: clock for name, clock in clocks.items() if clock}


def assert_replayed(steps: Sequence[JSON], read: JSON, empty: JSON) -> None:
    """The steps came to the lead as it is read; `empty` is a lead of which nothing is known."""
    fields, clocks = folded(steps)
    assert len(steps) == read["version"]
    for name in read.keys() - OTHERWISE - {"merged"}:
        assert fields.get(name, empty[name]) == read[name], name
    attributes = {name: v for name, v in read["attributes"].items() if v is not None}
    own = {n.partition(":")[2]: v for n, v in fields.items() if n.startswith("attribute:")}
    assert {name: value for name, value in own.items() if value is not None} == attributes
    converted = read["conversion"] and {k: v for k, v in read["conversion"].items() if k != "nodes"}
    assert fields.get("conversion") == converted
    due = {n: {"due_at": c["due_at"], "overdue": c["overdue"]} for n, c in clocks.items()}
    assert due == {clock.pop("name"): clock for clock in read["timers"]}


def as_json(body: bytes) -> JSON:
    answer: JSON = json.loads(body)
    return answer


def steps_json(steps: Iterable[Step]) -> list[JSON]:
    """As a client gets them."""
    return [json.loads(msgspec.json.encode(step_json(step, ZONE))) for step in steps]


def told_by(rng: Random, own: Sequence[Entry]) -> list[Told]:
    """A stream's events, recorded minutes apart."""
    at, told = FIRST_DAY + timedelta(days=rng.randrange(300)), []
    for entry in own:
        at += timedelta(minutes=rng.randrange(3))
        recorded = Recorded(entry.version * 3, entry.stream, entry.version, at, entry.event)
        told.append(Told(recorded, entry.event.topic, Meta("user:王芳", uuid4())))
    return told


def known_by(one: Told, as_known: datetime | None) -> bool:
    return as_known is None or one.recorded.recorded_at <= as_known


def test_the_steps_come_to_the_lead_as_it_is_read() -> None:
    """M3: at the end, and as of and as known at any instant, both together too."""
    print(f"SEED={SEED}")
    rng = Random(SEED)
    for _ in range(size(100, 30_000)):
        *leads, _, _ = history(rng, leads=1, longest=30)
        told = told_by(rng, leads[0])
        lead = leads[0][0].stream
        instants = [one.recorded.event.occurred_at for one in told]
        as_of = rng.choice((None, None, *instants))
        as_known = rng.choice((None, rng.choice(told).recorded.recorded_at))
        seen = list(known(told, as_of, as_known))
        others = {other: "XLSH1" for other in named(seen) if rng.random() < 0.5}
        recorded = [one.recorded for one in told if known_by(one, as_known)]
        state = fold(Lead(lead), (one.event for one in visible(recorded, as_of)))
        read = as_json(lead_json(state, ZONE, others))
        steps = steps_json(replay(lead, seen, ZONE, others))
        assert_replayed(steps, read, as_json(lead_json(Lead(lead), ZONE, {})))
        assert [s["version"] for s in steps] == [one.recorded.version for one in seen]
        hidden = named(seen) - others.keys()
        assert not [other for other in hidden if str(other) in json.dumps(steps)]


def test_a_page_goes_on_where_the_one_before_ended() -> None:
    """The keyset is the version: pages of any size put together are the whole replay."""
    rng = Random(SEED)
    *leads, _, _ = history(rng, leads=1, longest=40)
    told, lead = told_by(rng, leads[0]), leads[0][0].stream
    whole = list(replay(lead, told, ZONE, {}))
    cut = rng.randint(0, len(told))
    behind = list(replay(lead, told, ZONE, {}, after=cut))
    assert whole[cut:] == behind


@pytest.mark.parametrize(
    ("policies", "rules"),
    [(timed.BUILT_IN, WALL), (timed.WORKING, WORKING)],
    ids=["wall clock", "working hours"],
)
def test_the_clocks_of_the_steps_are_those_of_an_independent_schedule(
    policies: Policies, rules: Rules
) -> None:
    """M3, T6: which clocks run behind any command, when they are due, and which have rung."""
    print(f"SEED={SEED}")
    rng, compared = Random(SEED), 0
    for _ in range(size(15, 4_000)):
        log = random_log(rng, policies, local("04-20 09:15"), leads=3)
        for lead, own in by_lead(log.facts).items():
            upto = rng.choice(_ends(own))
            steps = steps_json(replay(lead, [_told(fact) for fact in own[:upto]], ZONE, {}))
            _, clocks = folded(steps)
            clocks.pop("late-reason", None)  # it has no time
            expected = _scheduled(own[:upto], rules)
            assert clocks.keys() == expected.clocks.keys()
            for name, clock in clocks.items():
                rung = expected.clocks[name]["rung"]
                # What was due before it was even set is recorded a moment later.
                late = not clock["overdue"] and rung and rung <= own[upto - 1].recorded_at
                assert late or clock["overdue"] == bool(rung), name
                if not expected.paused:
                    due = rung or expected.due(name)
                    assert as_text(due) == _utc(clock["due_at"]), name
                    compared += 1
    assert compared > 20, "there were clocks to compare"


def _ends(own: Sequence[Fact]) -> list[int]:
    """After which of a lead's facts a command was over."""
    following = [*own[1:], None]
    return [
        n
        for n, (fact, then) in enumerate(zip(own, following, strict=True), 1)
        if then is None or then.command != fact.command
    ]


def _scheduled(own: Sequence[Fact], rules: Rules) -> TimedLead:
    lead = TimedLead(rules)
    for _ in lived(lead, own):
        pass
    lead.ring(own[-1].recorded_at)
    return lead


def _told(fact: Fact) -> Told:
    event, meta = decode(fact.topic, json.dumps(fact.data).encode())
    recorded = Recorded(fact.position, fact.stream, fact.version, fact.recorded_at, event)
    return Told(recorded, fact.topic, meta)


def _utc(text: str) -> str:
    return as_text(datetime.fromisoformat(text).astimezone(local("05-01 00:00").tzinfo))


def test_the_lead_of_the_checks_is_one() -> None:
    """The helpers fail where they should: a step left out, a value that differs."""
    rng = Random(SEED)
    while True:
        *leads, _, _ = history(rng, leads=1, longest=9, captured_first=True)
        told = told_by(rng, leads[0])
        if len(told) > 2:
            break
    lead: UUID = leads[0][0].stream
    read = as_json(lead_json(fold(Lead(lead), (o.recorded.event for o in told)), ZONE, {}))
    empty = as_json(lead_json(Lead(lead), ZONE, {}))
    steps = steps_json(replay(lead, told, ZONE, {}))
    with pytest.raises(AssertionError):
        assert_replayed(steps[1:], read, empty)
