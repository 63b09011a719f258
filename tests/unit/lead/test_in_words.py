"""What each event says in words: one sentence for every type, about what is there, masked."""

from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import Any, get_args, get_type_hints
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from adapters.postgres.codec import EVENT_TYPES
from aggregates.event import Event, PolicyRef
from aggregates.lead import events as e
from aggregates.lead import privacy_events as p
from aggregates.lead import time_events as t
from aggregates.lead.in_words import GONE, SENTENCES, sentence
from aggregates.lead.wording import ERASED, LONGEST, Scene, lasting, quoted
from aggregates.privacy import mask_event
from tests.canaries import canaries
from tests.unit.lead.any_event import events

OF_A_LEAD = [cls for topic, cls in EVENT_TYPES.items() if topic.startswith("lead.")]
AT = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
OTHER = UUID(int=7)
POLICY = PolicyRef("response", 3, "9f86d081")
SCENE = Scene("user:王强", ZoneInfo("Asia/Shanghai"), {OTHER: "XLSH20240501007"}, "待跟进")
SWEEP = replace(SCENE, actor="process:deadlines")

TOLD: list[tuple[Event, Scene, str]] = [
    (
        e.LeadCaptured(
            code="XLSH20240501001", details={"customer": "A科技有限公司", "source": "官网注册"}
        ),
        SCENE,
        "User 王强 entered the lead XLSH20240501001: A科技有限公司, from 官网注册",
    ),
    (
        e.LeadCaptured(code="XLSH1", external_id="88", source_system="crm"),
        replace(SCENE, actor="import:crm"),
        "The import crm entered the lead XLSH1 (88 of crm)",
    ),
    (
        e.FollowUpRecorded(
            code="GJ20240501001",
            connected=True,
            outcome="有意向",
            by="王强",
            method="电话沟通",
            stage="已联系",
            next_step="发送方案",
            next_step_due=date(2024, 5, 10),
            quality={"verdict": "vague", "late": True},
        ),
        SCENE,
        "User 王强 recorded a follow-up by 电话沟通: connected, outcome 有意向;"
        " stage 待跟进 -> 已联系; next step 发送方案; next step due 2024-05-10; found vague;"
        " recorded late",
    ),
    (
        e.FollowUpRecorded(code="GJ20240501001", connected=False, by="李雷"),
        SCENE,
        "User 王强 recorded a follow-up of 李雷: not connected",
    ),
    (
        e.LeadAssigned(
            owner="李雷",
            team="华东一组",
            explanation={"rule": "east", "candidates": [{}, {}], "more_candidates": 3},
        ),
        replace(SCENE, actor="process:assignment"),
        "The process assignment assigned the lead to 李雷 in team 华东一组 by rule east,"
        " of 5 candidates",
    ),
    (
        e.InfoChanged(details={"need": "50台电脑", "region": None}),
        SCENE,
        "User 王强 set need 50台电脑 and took away region",
    ),
    (e.StageChanged(stage="已联系"), SCENE, "User 王强 moved the stage 待跟进 -> 已联系"),
    (
        e.StageChanged(stage="待分配"),
        replace(SCENE, stage=None),
        "User 王强 put the lead into the stage 待分配",
    ),
    (e.InfoChanged(), SCENE, "User 王强 changed no information"),
    (
        e.DuplicateSuspected(other=OTHER, certain=True, by=("phone", "email")),
        SCENE,
        "The lead is certainly the same as lead XLSH20240501007: equal phone, email",
    ),
    (
        e.LeadsMerged(into=UUID(int=8), into_code="XLSH20240501008"),
        SCENE,
        "User 王强 merged the lead into another lead",
    ),
    (
        e.LeadPaused(reason="预算未批", resume_at=AT),
        SCENE,
        "User 王强 paused the lead (暂缓) until 2024-05-01 09:15+08:00: 预算未批; no clock runs",
    ),
    (
        t.FirstFollowUpTaskIssued(
            owner="李雷", level="high", due_at=AT, escalate_at=AT, policy=POLICY
        ),
        SCENE,
        "李雷 is to reach the customer by 2024-05-01 09:15+08:00 (level high);"
        " the supervisor is told at 2024-05-01 09:15+08:00",
    ),
    (
        t.FirstResponseMade(by="李雷", since_capture=18_180.0, late=60.0),
        SCENE,
        "李雷 reached the customer for the first time: 5 h 3 min after the capture, 1 min late",
    ),
    (
        t.EscalatedToSupervisor(owner="李雷", team="华东一组", supervisors=("王芳",)),
        SWEEP,
        "Nobody had reached the customer for so long that 王芳 is told;"
        " 李雷 in team 华东一组 owes a reason",
    ),
    (
        p.ContactRevealed(field="phone", purpose="回访", by="王强"),
        SCENE,
        "User 王强 had phone shown in clear: 回访",
    ),
    (
        p.PersonalDataErased(reason="客户要求", by="李雷"),
        replace(SCENE, actor="operator:root"),
        "The operator root erased the personal data of the lead for 李雷: 客户要求",
    ),
]


@pytest.mark.parametrize(("event", "scene", "told"), TOLD, ids=lambda x: type(x).__name__)
def test_an_event_is_told_with_what_is_in_it(event: Event, scene: Scene, told: str) -> None:
    """M3, R46-R51, R104-R107."""
    assert sentence(event, scene) == told


@pytest.mark.parametrize("cls", OF_A_LEAD)
def test_every_type_of_event_has_its_sentence_and_no_personal_value_in_clear(
    cls: type[Event],
) -> None:
    """M3, A4: a new type of event has to be told, and is told masked."""
    assert len(OF_A_LEAD) > 40
    assert cls in SENTENCES
    made = canaries()
    told = sentence(mask_event(made.event(cls)), SCENE)
    assert told[0].isupper() or told.startswith(("Li ", "请联系")), told
    assert not told.endswith((".", " ", ":"))
    assert made.leaks(told) == []


@pytest.mark.parametrize("cls", OF_A_LEAD)
def test_a_value_that_is_not_given_is_not_spoken_of(cls: type[Event]) -> None:
    """Erased and optional values are None: no sentence says so in Python's words."""
    hints = get_type_hints(cls)
    absent = {f.name: None for f in fields(cls) if type(None) in get_args(hints[f.name])}
    empty = {f.name: {} for f in fields(cls) if hints[f.name] == e.Details}
    told = sentence(mask_event(canaries().event(cls, **absent, **empty)), SCENE)
    assert "None" not in told
    assert not told.endswith((" ", ":", ","))
    assert "  " not in told


@pytest.mark.parametrize(
    "event",
    [
        e.LeadPaused(),
        e.ConversionReversed(),
        e.AttachmentAdded(
            attachment=OTHER, content_type="application/pdf", size=3, sha256="9f86d081"
        ),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_was_recorded_with_a_value_and_has_none_was_erased(event: Event) -> None:
    assert ERASED in sentence(event, SCENE)


def test_a_step_whose_personal_values_are_gone_says_so() -> None:
    assert sentence(e.InfoCompleted(), SCENE, erased=True).endswith(GONE)
    assert not sentence(e.InfoCompleted(), SCENE).endswith(GONE)


@given(events)
def test_whatever_stands_in_an_event_makes_one_short_line(event: Event) -> None:
    told = sentence(mask_event(event), SCENE)
    assert told
    assert "\n" not in told
    assert not any(word in told for word in ("datetime.", "UUID(", "frozenset", "PolicyRef("))


def test_a_name_over_two_lines_is_told_on_one() -> None:
    claimed = e.LeadClaimed(owner="王强", pool="公海")
    told = sentence(t.FirstResponseBreached(owner="王\n强", level="high"), SCENE)
    assert "王 强 is late" in told
    assert sentence(claimed, SCENE) == "王强 claimed the lead out of the pool 公海"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("官网\n注册", "官网 注册"),
        ({"规模": [1, None, True]}, '{"规模": [1, null, true]}'),
        ("长" * 61, "长" * (LONGEST - 1) + "…"),
        ("长" * LONGEST, "长" * LONGEST),
    ],
)
def test_a_value_is_quoted_short_and_without_python(value: Any, shown: str) -> None:
    assert quoted(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59.9, "59 s"), (3600, "1 h"), (90_061, "1 d 1 h"), (-60, "1 min")],
)
def test_spans_have_their_two_largest_units(seconds: float, shown: str) -> None:
    assert lasting(seconds) == shown
