"""Random lives of leads in time: reports of time equal their recomputation, cells their evidence.

SEED=<number> repeats a run. R38, R43, R44, R110, A13, A26, A30, A31.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.checker_fold import Fact
from tests.conformance.histories import append_bytes
from tests.conformance.timed_log import random_log
from tests.integration.report_log import Log
from tests.integration.report_model_time import BEHIND, answer
from tests.integration.test_reports_random import same
from tests.seed import SEED
from tests.size import size
from tests.unit.lead.timed import BUILT_IN, WORKING, local

START = local("04-20 09:15")
PEOPLE = ("chen", "li", "wu", "zhao", "qian")
DIMENSIONS: dict[str, Sequence[str]] = {
    "sla-compliance": ("all", "owner", "team", "level", "source", "month", "cohort_month",
                       "owner,level", "team,source"),
    "workload": ("all", "owner", "team", "level", "owner,source"),
    "fairness": ("all", "owner", "month", "team", "owner,month", "level"),
}  # fmt: skip


def told(rng: random.Random) -> list[Fact]:
    """What happened to some leads; rules chose some of the owners, and late reasons were given."""
    policies = rng.choice((BUILT_IN, WORKING))
    facts: list[Fact] = []
    for fact in random_log(rng, policies, START, leads=rng.randint(3, 9)).facts:
        data = dict(fact.data)
        if fact.topic == "lead.captured":
            data["details"] = data["details"] | {"source": rng.choice(("官网", "展会"))}
        if fact.topic in ("lead.assigned", "lead.reassigned") and rng.random() < 0.6:
            data["explanation"] = {"rule": "north", "candidates": _candidates(rng, data["owner"])}
        facts.append(replace(fact, data=data))
        if fact.topic == "lead.escalated-to-supervisor" and rng.random() < 0.5:
            facts.append(_reason(fact))
    return _in_order(facts)


def _candidates(rng: random.Random, owner: str) -> list[dict[str, Any]]:
    others = rng.sample([name for name in PEOPLE if name != owner], rng.randrange(4))
    return [
        {"person": name, "load": rng.randrange(9), "weight": rng.choice((0.5, 1.0, 2.0)),
         "last_given": 0}
        for name in (owner, *others)
    ]  # fmt: skip


def _reason(fact: Fact) -> Fact:
    data = {"occurred_at": fact.data["occurred_at"], "reason": "出差", "meta": fact.data["meta"]}
    return replace(fact, topic="lead.late-reason-recorded", data=data)


def _in_order(facts: Sequence[Fact]) -> list[Fact]:
    """Their places in the log and in their streams, counted anew."""
    versions: dict[Any, int] = {}
    placed = []
    for position, fact in enumerate(facts, 1):
        version = versions[fact.stream] = versions.get(fact.stream, 0) + 1
        placed.append(replace(fact, position=position, version=version))
    return placed


def questions(rng: random.Random, facts: Sequence[Fact]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every report by every dimension, narrowed at random."""
    for name, dimensions in DIMENSIONS.items():
        for dimension in dimensions:
            given: dict[str, Any] = {"dimension": dimension}
            match rng.randrange(6):
                case 0:
                    given["cohort"] = "2024-04"
                case 1:
                    given["from"] = "2024-04-25"
                case 2:
                    given |= {"from": "2024-04-22", "to": "2024-05-10"}
            match rng.randrange(5):
                case 0:
                    given["at_position"] = rng.randrange(len(facts) + 1)
                case 1:
                    given["as_of"] = START + timedelta(seconds=rng.randrange(40 * 86_400))
            yield name, given


@pytest.mark.parametrize("run", range(size(test=2, soak=300)))
def test_reports_of_time_equal_their_recomputation_and_evidence(dsn: str, run: int) -> None:
    seed = SEED + run
    print(f"SEED={seed}")
    rng = random.Random(seed)
    facts = told(rng)
    for fact in facts:
        append_bytes(dsn, fact.stream, fact.version, fact.topic, json.dumps(fact.data).encode())
    log = Log(dsn)
    for name, given in questions(rng, facts):
        rows, total = answer(name, given, facts)
        body = log.report(name, **given)
        assert same(body["total"], total), (seed, name, given, body["total"], total)
        assert same(body["rows"], rows), (seed, name, given, body["rows"], rows)
        for row in rng.sample(body["rows"], min(2, len(body["rows"]))):
            behind = log.evidence(name, row["bucket"], **given)
            assert len(behind) == BEHIND[name](row), (seed, name, given, row, behind)
            if name == "sla-compliance":
                late = sum(x["state"] == "late" for x in behind)
                assert late == row["late"]
