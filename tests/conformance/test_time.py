"""Time events against the schedule that an independent checker makes of the facts (T6, P5)."""

from random import Random

import pytest

from aggregates.policy.book import Policies
from tests.checker_schedule import WALL, WORKING, Rules
from tests.checker_time import time_faults
from tests.conformance.timed_log import random_log
from tests.seed import SEED
from tests.size import size
from tests.unit.lead import timed
from tests.unit.lead.timed import local

LEADS = 5


@pytest.mark.parametrize(
    ("policies", "rules"),
    [(timed.BUILT_IN, WALL), (timed.WORKING, WORKING)],
    ids=["wall clock", "working hours"],
)
def test_what_time_does_equals_an_independent_schedule(policies: Policies, rules: Rules) -> None:
    """R28, R38, R40, R53, R104-R108, A10, A11, A12, A14, A26, A29, A30, A31."""
    print(f"SEED={SEED}")
    rng = Random(SEED)
    for n in range(size(60, 20_000)):
        log = random_log(rng, policies, local("04-20 09:15"), LEADS)
        found = time_faults(log.facts, rules, log.facts[-1].recorded_at)
        assert found == [], f"log {n}: {found[:3]}"
