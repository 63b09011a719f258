"""Recording contacts: R46-R58, table 2, A12, A18, A29, A30, golden case 8."""

from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import pytest

from aggregates.event import Event, PolicyRef
from aggregates.lead.events import FollowUpRecorded, LeadConverted, LeadInvalidated, StageChanged
from aggregates.lead.follow_up import record_follow_up
from aggregates.lead.state import CONTACTED, TO_FOLLOW_UP, WON
from aggregates.policy.book import InForce, Policies
from aggregates.policy.work import FollowUpQuality, Pipeline
from aggregates.refusal import Refusal
from tests.unit.lead.given import ASSIGNED, CAPTURED, HOUR, NOW, Decision, given, lead_of

LATER = NOW + 29 * HOUR + timedelta(minutes=15)
BUILT_IN = Policies().follow_up


def found(verdict: str, *missing: str, late: bool = False) -> dict[str, Any]:
    """What the built-in rules find, as it is stored (A18)."""
    policy = {"kind": "follow-up", "version": 1, "hash": BUILT_IN.ref.hash}
    return {"policy": policy, "verdict": verdict, "missing": list(missing), "late": late}


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
    quality=found("concrete"),
)
MISSED = replace(
    TALK,
    connected=False,
    outcome="no_answer",
    content=None,
    feedback=None,
    quality=found("attempt"),
)


def recording(
    record: FollowUpRecorded,
    quality: InForce[FollowUpQuality] = BUILT_IN,
    people: tuple[str, ...] = (),
) -> Decision:
    """The decision to record this at LATER."""
    said = replace(record, quality={})
    return lambda lead: record_follow_up(
        lead, now=LATER, record=said, quality=quality, pipeline=Pipeline(), people=people
    )


def contacted(record: FollowUpRecorded) -> FollowUpRecorded:
    """The record with the stage that it set (R90)."""
    return replace(record, stage=CONTACTED)


def moved(stage: str, previous: str | None) -> Event:
    """The stage change that a record at LATER causes."""
    return StageChanged(occurred_at=LATER, stage=stage, previous=previous)


def test_the_first_connected_one_moves_the_lead_on() -> None:
    """R46-R52, R84-R90, decision 11; 29 h 15 min after the capture and not refused (A29)."""
    given(*ASSIGNED).when(recording(TALK)).then(contacted(TALK), moved(CONTACTED, TO_FOLLOW_UP))


def test_the_second_one_leaves_the_stage_alone() -> None:
    """R52: two contacts are two records, not two moves."""
    again = replace(TALK, code="GJ20240502002")
    given(*ASSIGNED).when(recording(TALK)).then(
        contacted(TALK), moved(CONTACTED, TO_FOLLOW_UP)
    ).when(recording(again)).then(again)


def test_a_waiting_lead_without_an_owner_moves_on_as_well() -> None:
    """R85: who calls may differ from the owner, and there may be none yet."""
    given(*CAPTURED).when(recording(TALK)).then(contacted(TALK), moved(CONTACTED, "待分配"))


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
    late = replace(TALK, occurred_at=at, quality=found("concrete", late=True))
    given(*ASSIGNED).when(recording(late)).then(
        contacted(late),
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
    for history in ((*ASSIGNED, won, entered), (*ASSIGNED, won)):
        given(*history).when(recording(TALK)).then(TALK)
        given(*history).when(recording(replace(TALK, stage="方案提交"))).refused(
            "lead-converted", "stage"
        )
    same = replace(TALK, stage=WON)
    given(*ASSIGNED, won, entered).when(recording(same)).then(same)


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
        given(*ASSIGNED).when(recording(enough)).then(
            contacted(enough), moved(CONTACTED, TO_FOLLOW_UP)
        )


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


def test_a_refusal_says_everything_that_is_missing() -> None:
    """Golden case 8; R57: nobody has to try twice."""
    nothing = replace(TALK, content="已沟通", feedback=None, next_step="已跟进")
    with pytest.raises(Refusal, match=r"what was discussed .*6 characters.* and the customer's"):
        recording(nothing)(lead_of(*ASSIGNED))


def test_a_policy_may_let_vague_records_pass_with_what_is_missing() -> None:
    """R57, A18: the version that judged stands on the event, with its verdict."""
    ref = PolicyRef("follow-up", 2, "ab12")
    mild = InForce(FollowUpQuality(verdict="warn"), ref)
    vague = replace(TALK, content="已沟通", feedback=None, next_step=None)
    quality = found("vague", "content", "feedback or next_step") | {"policy": asdict(ref)}
    given(*ASSIGNED).when(recording(vague, mild)).then(
        contacted(replace(vague, quality=quality)), moved(CONTACTED, TO_FOLLOW_UP)
    )


def test_a_policy_need_not_ask_for_an_answer() -> None:
    """A18: the rules are the company's."""
    ref = PolicyRef("follow-up", 2, "ab12")
    short = InForce(FollowUpQuality(minimum_length=1, feedback_or_next_step=False), ref)
    record = replace(TALK, content="要", feedback=None, next_step=None)
    quality = found("concrete") | {"policy": asdict(ref)}
    given(*ASSIGNED).when(recording(record, short)).then(
        contacted(replace(record, quality=quality)), moved(CONTACTED, TO_FOLLOW_UP)
    )


def test_recorded_late_means_more_than_the_policys_hours() -> None:
    """A30: exactly 24 h after the contact is in time."""
    edge = replace(MISSED, occurred_at=LATER - 24 * HOUR)
    given(*ASSIGNED).when(recording(edge)).then(edge)
    over = replace(edge, occurred_at=LATER - 24 * HOUR - timedelta(seconds=1))
    given(*ASSIGNED).when(recording(over)).then(replace(over, quality=found("attempt", late=True)))


def test_a_backdated_contact_moves_the_stage_no_earlier_than_the_move_before() -> None:
    """A30, R90: the stage entered last is the current one, also when ordered by time."""
    there = StageChanged(occurred_at=LATER - HOUR, stage="需求确认", previous=TO_FOLLOW_UP)
    record = replace(TALK, occurred_at=LATER - 2 * HOUR, stage="方案提交")
    given(*ASSIGNED, there).when(recording(record)).then(
        record, replace(moved("方案提交", "需求确认"), occurred_at=LATER - HOUR)
    )


def test_whoever_made_the_contact_is_in_the_directory() -> None:
    """R85: any name will do while the directory is empty."""
    other = replace(MISSED, by="nobody")
    given(*ASSIGNED).when(recording(other, people=("chen", "li"))).refused("unknown-person", "by")
    given(*ASSIGNED).when(recording(other)).then(other)
    given(*ASSIGNED).when(recording(replace(other, by="li"), people=("chen", "li"))).then(
        replace(other, by="li")
    )
