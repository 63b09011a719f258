"""The first label and the hand that overrides it: R9, R23-R25, R79, A5, A6."""

from functools import partial

import pytest

from aggregates.lead.events import LabelCleared, LabelOverridden, LeadLabelled
from aggregates.lead.label import clear, override, rule_for
from aggregates.policy.entry import Labelling, LabelRule
from tests.unit.lead.given import CAPTURED, HOUR, NOW, given, lead_of
from tests.unit.lead.test_capture import ENTERED, LABELLED, RULES

BY_HAND = LabelOverridden(occurred_at=NOW, level="low", segment="潜在需求", reason="called")


@pytest.mark.parametrize(
    ("source", "need", "label"),
    [
        ("官网注册", "总经理要求尽快上线", ("high", "决策层")),
        ("官网注册", "需采购办公自动化系统", ("high", "采购决策")),
        ("展会咨询", "想了解一下产品", ("medium", "信息收集")),
        ("转介绍", None, ("medium", "信息收集")),
        ("展会咨询", "", ("low", "潜在需求")),
        ("官网注册", "预算有, 但暂不采购", ("low", "潜在需求")),
        ("官网注册", "办公电脑", None),
        (None, None, None),
    ],
)
def test_the_built_in_rules(source: str | None, need: str | None, label: object) -> None:
    """R24, A5: source and keywords anywhere in Chinese text, which has no word borders."""
    rule = rule_for(RULES.labelling.rules, source, need)
    assert (rule and (rule.level, rule.segment)) == label


@pytest.mark.parametrize(
    ("source", "need", "name"),
    [
        ("web", "We want an OFFER now", "offer"),
        ("web", "no offer please", "rest"),
        ("fair", "offer", "rest"),
        ("web", "", "rest"),
    ],
)
def test_every_condition_of_a_rule_must_hold(source: str, need: str, name: str) -> None:
    """R23: sources, any of these words, none of those; letters in any case; first match wins."""
    offer = LabelRule(
        name="offer", level="high", sources=("web",), any_of=("Offer",), none_of=("NO OFFER",)
    )
    rules = Labelling(rules=(offer, LabelRule(name="rest", level="low")))
    rule = rule_for(rules, source, need)
    assert rule and rule.name == name


def test_a_hand_overrides_the_rules() -> None:
    """R25; the same again changes nothing."""
    by_hand = partial(override, now=NOW, level="low", segment="潜在需求", reason="called")
    labelled = given(*ENTERED).when(by_hand).then(BY_HAND)
    labelled.when(by_hand).then()
    lead = lead_of(*labelled.history)
    assert (lead.labelled_by, lead.label_policy, lead.label_overridden) == (None, None, True)


def test_confirming_the_rules_label_by_hand_is_an_override() -> None:
    """A6: it wins from then on."""
    confirm = partial(override, now=NOW, level="high", segment="采购决策", reason=None)
    given(*ENTERED).when(confirm).then(
        LabelOverridden(occurred_at=NOW, level="high", segment="采购决策")
    )


def test_cleared_the_rules_label_again_and_are_cited() -> None:
    """A6: both are events, with rule version."""
    decide = partial(clear, now=NOW + HOUR, reason="new", policy=RULES.labelling)
    label = LeadLabelled(**{**vars(LABELLED), "occurred_at": NOW + HOUR})
    cleared = given(*ENTERED, BY_HAND).when(decide)
    lead = cleared.then(LabelCleared(occurred_at=NOW + HOUR, reason="new"), label)
    lead.when(decide).then()
    state = lead_of(*lead.history)
    assert (state.labelled_by, state.label_policy) == ("buys", RULES.labelling.ref)
    assert not state.label_overridden


def test_only_captured_leads_are_labelled() -> None:
    by_hand = partial(override, now=NOW, level="low", segment=None, reason=None)
    given().when(by_hand).refused("not-captured")
    given(*CAPTURED).when(by_hand).then(LabelOverridden(occurred_at=NOW, level="low"))
