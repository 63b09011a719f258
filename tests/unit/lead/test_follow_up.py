"""Recording contacts: R46-R58, table 2, A12, A18, A29, A30, golden case 8."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from aggregates.event import Event
from aggregates.lead.events import FollowUpRecorded, LeadConverted, LeadInvalidated, StageChanged
from aggregates.lead.follow_up import record_follow_up
from aggregates.lead.state import CONTACTED, TO_FOLLOW_UP, WON
from aggregates.policy.builtin import FOLLOW_UP_QUALITY
from tests.unit.lead.given import ASSIGNED, CAPTURED, HOUR, NOW, Decision, given, lead_of

LATER = NOW + 29 * HOUR + timedelta(minutes=15)
TALK = FollowUpRecorded(
    occurred_at=LATER,
    code="GJ20240502001",
    connected=True,
    by="chen",
    method="电话沟通",
    content="客户对产品A功能感兴趣，要求提供案例",
    feedback="需要下周前提供报价单",
    next_step="2024-05-10前发送方案",
    next_step_due=date(2024, 5, 10),
)
MISSED = replace(TALK, connected=False, outcome="no_answer", content=None, feedback=None)


def recording(record: FollowUpRecorded) -> Decision:
    """The decision to record this, five minutes after LATER at the latest."""
    return lambda lead: record_follow_up(lead, now=LATER, record=record, quality=FOLLOW_UP_QUALITY)


def moved(stage: str, previous: str | None) -> Event:
    """The stage change that a record at LATER causes."""
    return StageChanged(occurred_at=LATER, stage=stage, previous=previous)


def test_the_first_connected_one_moves_the_lead_on() -> None:
    """R46-R52, R84-R90, decision 11; 29 h 15 min after the capture and not refused (A29)."""
    given(*ASSIGNED).when(recording(TALK)).then(TALK, moved(CONTACTED, TO_FOLLOW_UP))


def test_the_second_one_leaves_the_stage_alone() -> None:
    """R52: two contacts are two records, not two moves."""
    again = replace(TALK, code="GJ20240502002")
    given(*ASSIGNED).when(recording(TALK)).then(TALK, moved(CONTACTED, TO_FOLLOW_UP)).when(
        recording(again)
    ).then(again)


def test_a_waiting_lead_without_an_owner_moves_on_as_well() -> None:
    """R85: who calls may differ from the owner, and there may be none yet."""
    given(*CAPTURED).when(recording(TALK)).then(TALK, moved(CONTACTED, "待分配"))


def test_an_unanswered_call_is_an_attempt_not_a_response() -> None:
    """A12: it is recorded, needs no content and moves nothing."""
    given(*ASSIGNED).when(recording(MISSED)).then(MISSED)
    lead = lead_of(*ASSIGNED, MISSED)
    assert (lead.first_attempt_at, lead.first_response_at) == (LATER, None)


def test_without_a_time_it_happened_now() -> None:
    """R84."""
    given(*ASSIGNED).when(recording(replace(MISSED, occurred_at=None))).then(MISSED)


def test_a_contact_may_be_entered_late() -> None:
    """R84, A30: actual time and time of recording differ; the stage dates from the contact."""
    at = NOW + HOUR
    given(*ASSIGNED).when(recording(replace(TALK, occurred_at=at))).then(
        replace(TALK, occurred_at=at),
        StageChanged(occurred_at=at, stage=CONTACTED, previous=TO_FOLLOW_UP),
    )


def test_the_earliest_contact_counts_as_first_whatever_the_order_of_entry() -> None:
    """A12, A30."""
    early, unknown = replace(TALK, occurred_at=NOW + HOUR), replace(TALK, occurred_at=None)
    lead = lead_of(*ASSIGNED, unknown, TALK, early, MISSED)
    assert (lead.first_attempt_at, lead.first_response_at) == (NOW + HOUR, NOW + HOUR)
    assert lead.follow_ups == 4


def test_the_record_may_set_the_stage() -> None:
    """R90."""
    record = replace(TALK, stage="方案提交")
    given(*ASSIGNED).when(recording(record)).then(record, moved("方案提交", TO_FOLLOW_UP))


def test_setting_the_current_stage_changes_nothing() -> None:
    """R90."""
    record = replace(TALK, stage=TO_FOLLOW_UP)
    given(*ASSIGNED).when(recording(record)).then(record)


def test_a_converted_lead_keeps_its_stage() -> None:
    """A15: contacts after the signing are recorded all the same."""
    won = LeadConverted(occurred_at=NOW)
    entered = StageChanged(occurred_at=NOW, stage=WON)
    given(*ASSIGNED, won, entered).when(recording(TALK)).then(TALK)
    given(*ASSIGNED, won).when(recording(TALK)).then(TALK)


@pytest.mark.parametrize("stage", ["成交", "待分配", "Engaging"])
def test_it_cannot_set_a_stage_that_no_move_enters(stage: str) -> None:
    """R90, A15."""
    code = "use-convert" if stage == WON else "unknown-stage"
    given(*ASSIGNED).when(recording(replace(TALK, stage=stage))).refused(code, "stage")


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "已沟通",
        "已沟通。",
        " 已沟通！\n",
        "已 电话 沟通",
        "已电话沟通\n\n",
        "ok",
        "。。。。。。。。",
    ],
)
def test_vague_content_is_refused(content: str | None) -> None:
    """Golden case 8; R57, A18: too short, or one of the phrases that say nothing."""
    given(*ASSIGNED).when(recording(replace(TALK, content=content))).refused(
        "vague-follow-up", "content"
    )


@pytest.mark.parametrize("nothing", [None, "", "  \n"])
def test_feedback_or_a_next_step_is_required(nothing: str | None) -> None:
    """Golden case 8; R50, R51, R57, A18: either will do."""
    neither = replace(TALK, feedback=nothing, next_step=nothing, next_step_due=None)
    given(*ASSIGNED).when(recording(neither)).refused("vague-follow-up", "feedback")
    for enough in (replace(neither, feedback="要报价"), replace(neither, next_step="发送方案")):
        given(*ASSIGNED).when(recording(enough)).then(enough, moved(CONTACTED, TO_FOLLOW_UP))


def test_no_contact_lies_in_the_future() -> None:
    """R84; five minutes of a client's clock are forgiven."""
    edge = LATER + timedelta(minutes=5)
    given(*ASSIGNED).when(recording(replace(MISSED, occurred_at=edge))).then(
        replace(MISSED, occurred_at=edge)
    )
    given(*ASSIGNED).when(
        recording(replace(MISSED, occurred_at=edge + timedelta(seconds=1)))
    ).refused("in-the-future", "occurred_at")


def test_refused_before_the_capture_and_when_invalid() -> None:
    """A25: reopen first."""
    given().when(recording(TALK)).refused("not-captured")
    given(*ASSIGNED, LeadInvalidated(reason="refused")).when(recording(TALK)).refused(
        "lead-invalid"
    )
