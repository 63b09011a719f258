"""Moves through the pipeline: R52, R58, A15, requirements section 5."""

from functools import partial

import pytest

from aggregates.lead.events import LeadConverted, LeadInvalidated, StageChanged
from aggregates.lead.stage import advance
from aggregates.lead.state import PIPELINE, TO_FOLLOW_UP, UNASSIGNED, WON
from tests.unit.lead.given import ASSIGNED, HOUR, NOW, When, given

LATER = NOW + HOUR
MIDDLE = ("已联系", "需求确认", "方案提交", "商务谈判")


def advancing(stage: str) -> When:
    """An assigned lead in 待跟进, asked to enter `stage`."""
    return given(*ASSIGNED).when(partial(advance, now=LATER, stage=stage, reason=None))


@pytest.mark.parametrize("stage", MIDDLE)
def test_every_stage_of_the_middle_can_be_entered(stage: str) -> None:
    """R52."""
    advancing(stage).then(StageChanged(occurred_at=LATER, stage=stage, previous=TO_FOLLOW_UP))


def test_moving_back_is_an_event_like_any_other() -> None:
    """Requirements section 5: backward by policy, with its reason."""
    far = StageChanged(occurred_at=NOW, stage="商务谈判", previous=TO_FOLLOW_UP)
    decide = partial(advance, now=LATER, stage="需求确认", reason="scope changed")
    given(*ASSIGNED, far).when(decide).then(
        StageChanged(
            occurred_at=LATER, stage="需求确认", previous="商务谈判", reason="scope changed"
        )
    )


@pytest.mark.parametrize("stage", PIPELINE)
def test_the_current_stage_again_changes_nothing(stage: str) -> None:
    """R58: a repeated intent records nothing, in whatever stage."""
    there = StageChanged(occurred_at=NOW, stage=stage)
    given(*ASSIGNED, there).when(partial(advance, now=LATER, stage=stage, reason=None)).then()


def test_out_of_a_foreign_stage_any_of_ours_may_be_entered() -> None:
    """Requirements section 5: imported stages are text."""
    foreign = StageChanged(occurred_at=NOW, stage="Engaging")
    given(*ASSIGNED, foreign).when(partial(advance, now=LATER, stage="方案提交", reason=None)).then(
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
    decide = partial(advance, now=LATER, stage="方案提交", reason=None)
    given().when(decide).refused("not-captured")
    given(*ASSIGNED, LeadInvalidated(reason="refused")).when(decide).refused("lead-invalid")
    given(*ASSIGNED, LeadConverted(occurred_at=NOW)).when(decide).refused("lead-converted")
