"""What a process does not get on with is left for longer and longer, and named once (R28, R40)."""

import logging
from uuid import UUID

import pytest

from processes import setbacks
from processes.setbacks import LONGEST_SECONDS, Setbacks

LEAD, OTHER, THIRD = (UUID(int=n) for n in (1, 2, 3))


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def known(hand: Hand) -> Setbacks:
    return Setbacks("what is due on", hand)


def test_the_pauses_grow_up_to_a_limit(hand: Hand, known: Setbacks) -> None:
    """R40: twice as long each time; a lead that was dealt with begins anew."""
    pauses = []
    for _ in range(12):
        known.had_no_effect(LEAD)
        began = hand.at
        while LEAD in known.resting():
            hand.at += 0.5
        assert known.rested() == [LEAD]
        pauses.append(hand.at - began)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    known.over(LEAD)
    assert known.rested() == []
    known.had_no_effect(LEAD)
    hand.at += 1
    assert known.rested() == [LEAD]


def test_a_lead_is_named_once(
    hand: Hand, known: Setbacks, caplog: pytest.LogCaptureFixture
) -> None:
    """R40: at once when it fails; when nothing happens, not before it has happened thrice."""
    with caplog.at_level(logging.WARNING):
        for times in range(1, 9):
            known.had_no_effect(LEAD)
            hand.at += LONGEST_SECONDS
            assert len(caplog.messages) == (times >= 3)
        known.failed(LEAD, ValueError("no working time"))
        for _ in range(2):
            known.failed(OTHER, ValueError("no working time"))
    [nothing, failure] = caplog.messages
    assert f"what is due on lead {LEAD} has had no effect" in nothing
    assert f"lead {OTHER} failed: ValueError('no working time')" in failure


def test_what_is_remembered_is_bounded(
    hand: Hand, known: Setbacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R40: the one that was tried longest ago makes room; what is not heard of again is gone."""
    monkeypatch.setattr(setbacks, "MOST", 2)
    for lead in (LEAD, OTHER, LEAD, THIRD):
        known.had_no_effect(lead)
    assert known.resting() == {LEAD, THIRD}
    hand.at += LONGEST_SECONDS
    known.forget()
    assert known.rested() == [LEAD, THIRD]
    hand.at += 3
    known.forget()
    assert known.rested() == []
