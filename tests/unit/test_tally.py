"""What everybody carries, with what was given away a moment ago: R44, decision 2."""

from uuid import uuid4

from aggregates.lead.choice import Load
from commands.ports import Workload
from commands.tally import Tally


def test_what_is_given_counts_at_once() -> None:
    tally, lead = Tally(), uuid4()
    tally.reflect(Workload(7, {"a": Load(2, 3)}))
    tally.give(lead, "a")
    tally.give(uuid4(), "b")
    assert tally.loads == {"a": Load(3, 8), "b": Load(1, 9)}
    assert lead in tally


def test_it_counts_until_the_read_model_has_it_and_never_twice() -> None:
    tally, lead = Tally(), uuid4()
    tally.reflect(Workload(7, {}))
    tally.give(lead, "a")
    tally.reflect(Workload(8, {}))  # not recorded yet
    assert tally.loads["a"].active == 1
    tally.settle(lead, "a", 10)
    tally.reflect(Workload(9, {}))
    assert tally.loads["a"].active == 1
    tally.reflect(Workload(10, {"a": Load(1, 10)}))
    assert tally.loads == {"a": Load(1, 10)}
    assert lead not in tally


def test_what_another_has_by_now_does_not_count() -> None:
    """A person was faster than the rules: the lead is theirs."""
    for owner, position in (("b", 9), ("a", None), (None, None)):
        tally, lead = Tally(), uuid4()
        tally.reflect(Workload(7, {"a": Load(2, 3)}))
        tally.give(lead, "a")
        tally.settle(lead, owner, position)
        assert tally.loads["a"].active == 2
        assert lead not in tally


def test_turns_go_on_behind_the_log() -> None:
    """Who was given a lead last is last in the order of turns, wherever the log stands."""
    tally = Tally()
    tally.reflect(Workload(7, {"a": Load(1, 7)}))
    tally.give(uuid4(), "b")
    tally.reflect(Workload(20, {"a": Load(1, 20)}))
    tally.give(uuid4(), "c")
    assert tally.loads["b"].last_given < tally.loads["c"].last_given > 20
