"""Moves through the pipeline: R52, R58, A15, requirements section 5."""

from functools import partial

import pytest

from aggregates.lead.events import LeadConverted, LeadInvalidated, StageChanged
from aggregates.lead.stage import advance
from aggregates.lead.state import PIPELINE, TO_FOLLOW_UP, UNASSIGNED, WON
from aggregates.policy.work import Pipeline
from aggregates.refusal import Refusal
from tests.unit.lead.given import ASSIGNED, HOUR, NOW, Decision, When, given, lead_of

LATER = NOW + HOUR
MIDDLE = ("已联系", "需求确认", "方案提交", "商务谈判")


def to(stage: str, reason: str | None = None, **rules: bool) -> Decision:
    """The decision to enter `stage` under a pipeline policy."""
    return partial(advance, now=LATER, stage=stage, reason=reason, pipeline=Pipeline(**rules))


def advancing(stage: str) -> When:
    """An assigned lead in 待跟进, asked to enter `stage`."""
    return given(*ASSIGNED).when(to(stage))


@pytest.mark.parametrize("stage", MIDDLE)
def test_every_stage_of_the_middle_can_be_entered(stage: str) -> None:
    """R52."""
    advancing(stage).then(StageChanged(occurred_at=LATER, stage=stage, previous=TO_FOLLOW_UP))


def test_moving_back_is_an_event_like_any_other() -> None:
    """Requirements section 5: backward by policy, with its reason."""
    far = StageChanged(occurred_at=NOW, stage="商务谈判", previous=TO_FOLLOW_UP)
    given(*ASSIGNED, far).when(to("需求确认", "scope changed")).then(
        StageChanged(
            occurred_at=LATER, stage="需求确认", previous="商务谈判", reason="scope changed"
        )
    )


@pytest.mark.parametrize("stage", PIPELINE)
def test_the_current_stage_again_changes_nothing(stage: str) -> None:
    """R58: a repeated intent records nothing, in whatever stage."""
    there = StageChanged(occurred_at=NOW, stage=stage)
    given(*ASSIGNED, there).when(to(stage)).then()


def test_out_of_a_foreign_stage_any_of_ours_may_be_entered() -> None:
    """Requirements section 5: imported stages are text."""
    foreign = StageChanged(occurred_at=NOW, stage="Engaging")
    strict = to("方案提交", backward=False, skipping=False)
    given(*ASSIGNED, foreign).when(strict).then(
        StageChanged(occurred_at=LATER, stage="方案提交", previous="Engaging")
    )


def test_won_is_reached_by_conversion_only() -> None:
    """A15."""
    advancing(WON).refused("use-convert", "stage")


@pytest.mark.parametrize("stage", [UNASSIGNED, "Engaging", ""])
def test_unknown_stages_are_refused(stage: str) -> None:
    """R52, A15: 待分配 belongs to capture; foreign names to imports."""
    advancing(stage).refused("unknown-stage", "stage")


def test_refused_before_the_capture_when_invalid_and_when_converted() -> None:
    """A15, A25: four axes, each with its own way back."""
    decide = to("方案提交")
    given().when(decide).refused("not-captured")
    given(*ASSIGNED, LeadInvalidated(reason="refused")).when(decide).refused("lead-invalid")
    given(*ASSIGNED, LeadConverted(occurred_at=NOW)).when(decide).refused("lead-converted")


def test_a_policy_may_forbid_the_way_back() -> None:
    """R52: the reason is typed and names the stages that may be entered."""
    here = (*ASSIGNED, StageChanged(occurred_at=NOW, stage="方案提交"))
    given(*here).when(to("已联系", backward=False)).refused("stage-behind", "stage")
    with pytest.raises(Refusal, match=r"from 方案提交: enter one of 商务谈判$"):
        to("已联系", backward=False)(lead_of(*here))


def test_a_policy_may_forbid_skipping() -> None:
    """R52: one step forward is a step, backward any number is."""
    here = (*ASSIGNED, StageChanged(occurred_at=NOW, stage="需求确认"))
    given(*here).when(to("商务谈判", skipping=False)).refused("stage-skipped", "stage")
    with pytest.raises(Refusal, match=r"enter one of 待跟进, 已联系, 方案提交$"):
        to("商务谈判", skipping=False)(lead_of(*here))
    for stage in ("待跟进", "已联系", "方案提交"):
        given(*here).when(to(stage, skipping=False)).then(
            StageChanged(occurred_at=LATER, stage=stage, previous="需求确认")
        )


def test_a_policys_own_stages_are_entered() -> None:
    """R52: the names are the company's, between the ones that the system moves."""
    pipeline = Pipeline(stages=(*PIPELINE[:3], "试用", WON), tasks=())
    decide = partial(advance, now=LATER, reason=None, pipeline=pipeline)
    given(*ASSIGNED).when(partial(decide, stage="试用")).then(
        StageChanged(occurred_at=LATER, stage="试用", previous=TO_FOLLOW_UP)
    )
    given(*ASSIGNED).when(partial(decide, stage="方案提交")).refused("unknown-stage", "stage")


def test_where_no_move_leads_on_the_reason_says_so() -> None:
    """R58: a conversion was reversed and the policy knows no way back."""
    won = StageChanged(occurred_at=NOW, stage=WON)
    with pytest.raises(Refusal, match="no move leads on from here"):
        to("商务谈判", backward=False)(lead_of(*ASSIGNED, won))


def test_the_stage_entered_last_is_dated_last() -> None:
    """A30, R58: a client's fast clock must not make an earlier stage look like the current one."""
    ahead = StageChanged(occurred_at=LATER + HOUR, stage="需求确认")
    given(*ASSIGNED, ahead).when(to("方案提交")).then(
        StageChanged(occurred_at=LATER + HOUR, stage="方案提交", previous="需求确认")
    )
