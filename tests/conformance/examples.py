"""One event of every type with every field filled: what the golden files hold the bytes of."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

from aggregates.access import events as a
from aggregates.directory import events as d
from aggregates.event import Event, Meta, PolicyRef
from aggregates.lead import events as e
from aggregates.lead import privacy_events as p
from aggregates.lead import time_events as t
from aggregates.notification import events as n
from aggregates.policy.events import PolicyVersionActivated
from aggregates.review import events as r

AT = datetime(2024, 5, 1, 1, 15, 0, 120_000, tzinfo=UTC)
LATER = datetime(2024, 5, 2, 1, 15, 0, 120_000, tzinfo=UTC)
MUCH_LATER = datetime(2024, 5, 4, 1, 15, 0, 120_000, tzinfo=UTC)
META = Meta(
    actor="user:chen",
    command_id=UUID("0d2a1f5e-64b1-4c2d-9c0a-6b1a3f4e5d01"),
    correlation_id=UUID("0d2a1f5e-64b1-4c2d-9c0a-6b1a3f4e5d02"),
    causation_id=UUID("0d2a1f5e-64b1-4c2d-9c0a-6b1a3f4e5d03"),
)
DETAILS = {
    "customer": "A科技有限公司",
    "phone": "13912345678",
    "source": "官网注册",
    "seats": 50,
    "budget": 1.5,
    "urgent": True,
    "region": None,
    "tags": ["a", {"b": '"\\\n'}],
}

OTHER = UUID("5b0c9b52-6a52-4d4c-9c3e-2f0f6f7a1d12")
POLICY = PolicyRef(
    "labelling", 3, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)
EXPLANATION = {
    "policy": {"kind": "assignment", "version": 2, "hash": "9f86d081"},
    "rule": "east",
    "target": {"kind": "team", "name": "华东一组"},
    "candidates": [{"person": "chen", "load": 3, "weight": 1.0}],
    "left_out": [{"person": "li", "why": "absent"}],
}

EXAMPLES: Sequence[Event] = (
    e.LeadCaptured(
        occurred_at=AT,
        code="XLSH20240501001",
        details=DETAILS,
        external_id="9007199254740993123",
        source_system="edtech",
        entered_by="chen",
        by_command=True,
    ),
    e.InfoChanged(occurred_at=AT, details={"phone": "13912345678", "contact_title": None}),
    e.InfoMarkedIncomplete(occurred_at=AT, missing=("contact_title", "need"), policy=POLICY),
    e.InfoCompleted(occurred_at=AT, policy=POLICY),
    e.LeadLabelled(occurred_at=AT, level="high", segment="采购决策", rule="buys", policy=POLICY),
    e.LabelOverridden(occurred_at=AT, level="low", segment="潜在需求", reason="called"),
    e.LabelCleared(occurred_at=AT, reason="called again"),
    e.DuplicateSuspected(
        occurred_at=AT, other=OTHER, certain=True, by=("phone", "email"), policy=POLICY
    ),
    e.DuplicateDismissed(occurred_at=AT, other=OTHER, reason="two people", suspected_at=3),
    e.LeadsMerged(occurred_at=AT, into=OTHER, reason="one person", into_code="XLSH20240501002"),
    e.MergeUndone(occurred_at=AT, into=OTHER, reason="two people"),
    e.LeadScreened(occurred_at=AT, accepted=True, reason="fits", note="计划下月采购"),
    e.LeadAssigned(
        occurred_at=AT,
        owner="chen",
        team="east",
        reason="knows them",
        explanation=EXPLANATION,
        details={"region": "华东"},
    ),
    e.AssignmentFailed(
        occurred_at=AT,
        reason="nobody in sales",
        explanation=EXPLANATION,
        supervisors=("wang", "zhou"),
    ),
    e.LeadReassigned(
        occurred_at=AT,
        owner="li",
        team="south",
        previous_owner="chen",
        reason="outing",
        explanation=EXPLANATION,
    ),
    e.LeadHandedOver(
        occurred_at=AT,
        owner="li",
        team="south",
        previous_owner="chen",
        reason="leaves",
        explanation=EXPLANATION,
    ),
    e.LeadTeamChanged(occurred_at=AT, team="south", previous_team="east"),
    e.LeadReleasedToPool(
        occurred_at=AT, pool="公海", previous_owner="chen", reason="idle", explanation=EXPLANATION
    ),
    e.LeadClaimed(occurred_at=AT, owner="li", team="south", pool="公海"),
    e.AttachmentAdded(
        occurred_at=AT,
        attachment=OTHER,
        name="A科技公司-办公设备报价单-20240502.pdf",
        content_type="application/pdf",
        size=12345,
        sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        follow_up="GJ20240501001",
        warning="name",
    ),
    e.LeadShared(occurred_at=AT, person="li", reason="technical question"),
    e.LeadPaused(occurred_at=AT, reason="春节后再联系", resume_at=AT),
    e.LeadResumed(occurred_at=AT, reason="called back", by_clock=True),
    e.StageChanged(occurred_at=AT, stage="方案提交", previous="需求确认", reason="sent"),
    e.FollowUpRecorded(
        occurred_at=AT,
        code="GJ20240501001",
        connected=True,
        outcome="connected",
        by="chen",
        method="电话沟通",
        content="客户对产品A功能感兴趣，要求提供案例",
        feedback="需要下周前提供报价单",
        next_step="发送方案",
        next_step_due=date(2024, 5, 10),
        stage="已联系",
        quality={"version": 1, "verdict": "concrete"},
        details={"seconds": 310},
    ),
    e.LeadInvalidated(occurred_at=AT, reason="wrong_contact", note="号码是空号"),
    e.LeadReopened(occurred_at=AT, reason="called back"),
    e.LeadConverted(
        occurred_at=AT,
        amount=Decimal("85000.00"),
        basis="contract_signed",
        details={"industry": "制造业"},
    ),
    e.ConversionReversed(occurred_at=AT, reason="withdrawn"),
    d.PersonAdded(occurred_at=AT, name="chen", role="sales", team="east", email="chen@a.cn"),
    d.RoleChanged(occurred_at=AT, name="chen", role="supervisor"),
    d.PersonTeamChanged(occurred_at=AT, name="chen", team="south"),
    d.EmailChanged(occurred_at=AT, name="chen", email="chen@b.cn"),
    d.CoverageSet(
        occurred_at=AT,
        name="chen",
        regions=("华南",),
        industries=("教育",),
        customer_types=("企业",),
    ),
    d.WorkloadSet(occurred_at=AT, name="chen", weight=0.5, capacity=40),
    d.AbsenceNoted(
        occurred_at=AT,
        name="chen",
        since=date(2024, 5, 6),
        until=date(2024, 5, 10),
        reason="年假",
    ),
    d.AbsenceCancelled(
        occurred_at=AT, name="chen", since=date(2024, 5, 6), until=date(2024, 5, 10)
    ),
    d.PersonDeactivated(occurred_at=AT, name="chen", reason="离职", handed_over_to="li"),
    d.PersonReactivated(occurred_at=AT, name="chen", reason="返聘"),
    d.NotificationPreferencesSet(
        occurred_at=AT,
        name="chen",
        channels=("in-app", "chat"),
        language="en",
        quiet_from=time(22, 0),
        quiet_to=time(7, 30),
    ),
    d.TeamAdded(occurred_at=AT, name="east"),
    d.SupervisorSet(occurred_at=AT, name="east", supervisor="wang"),
    d.ReferenceAdded(occurred_at=AT, kind="source", name="短视频", english="short video"),
    d.ReferenceRenamed(occurred_at=AT, kind="source", name="短视频", english="video"),
    d.ReferenceRetired(occurred_at=AT, kind="source", name="短视频"),
    PolicyVersionActivated(
        occurred_at=AT,
        kind="pause",
        version=2,
        document={"max_days": 60},
        hash="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        reason="shorter",
    ),
    t.FirstFollowUpTaskIssued(
        occurred_at=AT,
        owner="chen",
        level="high",
        due_at=LATER,
        escalate_at=MUCH_LATER,
        policy=POLICY,
        calendar=POLICY,
    ),
    t.FirstResponseMade(
        occurred_at=MUCH_LATER,
        by="li",
        due_at=LATER,
        since_capture=259200.0,
        since_assignment=259100.5,
        late=172800.0,
    ),
    t.FirstResponseBreached(occurred_at=LATER, owner="chen", level="high", policy=POLICY),
    t.EscalatedToSupervisor(
        occurred_at=MUCH_LATER, owner="chen", team="east", supervisors=("wang",), policy=POLICY
    ),
    t.LateReasonRecorded(occurred_at=MUCH_LATER, reason="出差", note="回来即联系", by="chen"),
    t.InfoCompletionOverdue(
        occurred_at=LATER,
        missing=("contact_title",),
        responsible="chen",
        supervisors=("wang",),
        policy=POLICY,
    ),
    t.TaskScheduled(
        occurred_at=AT,
        task="回访",
        kind="stage",
        due_at=MUCH_LATER,
        due_on=date(2024, 5, 4),
        stage="方案提交",
        follow_up="GJ20240501001",
        asked_at=AT,
        policy=POLICY,
        calendar=POLICY,
    ),
    t.TaskOverdue(occurred_at=MUCH_LATER, task="回访", owner="chen", supervisors=("wang",)),
    t.TaskDone(occurred_at=LATER, task="回访", by="chen"),
    t.TaskCancelled(occurred_at=LATER, task="回访"),
    t.DeadlinesMoved(
        occurred_at=LATER,
        reason="pause ended",
        clocks=(t.Clock("first-follow-up", LATER, MUCH_LATER, 3600.0),),
        level="low",
        policy=POLICY,
    ),
    t.LeadInvalidationProposed(
        occurred_at=MUCH_LATER,
        reason="联系方式错误",
        month="2024-05",
        evidence={"wrong_number": "2"},
        supervisors=("wang",),
        review=OTHER,
        policy=POLICY,
    ),
    t.InvalidationDismissed(occurred_at=MUCH_LATER, reason="客户已回电"),
    r.ReviewOpened(
        occurred_at=MUCH_LATER,
        kind="weekly",
        team="华东一组",
        since=date(2024, 4, 29),
        until=date(2024, 5, 6),
        supervisors=("wang",),
        position=1234,
        counts={"late": 2},
        items=(
            {
                "finding": "late",
                "lead": str(OTHER),
                "code": "XLSH20240501001",
                "responsible": "chen",
                "since": "2024-05-02T01:15:00+00:00",
                "late_reason": "出差",
            },
        ),
        total=2,
    ),
    r.ReviewClosed(
        occurred_at=MUCH_LATER,
        by="wang",
        conclusions="两条线索未及时跟进,已重新分工",
        actions=("周三前回访", "调整值班"),
    ),
    n.NotificationSent(
        occurred_at=LATER,
        recipient="chen",
        channel="email",
        message_id="<5b0c9b52-6a52-4d4c-9c3e-2f0f6f7a1d12@leads.example.com>",
    ),
    n.NotificationDead(
        occurred_at=LATER, recipient="chen", channel="email", error="refused 550", attempts=1
    ),
    n.NotificationRetried(occurred_at=LATER, recipient="chen", channel="email"),
    n.NotificationRead(occurred_at=LATER, recipient="chen"),
    a.HistoryRead(occurred_at=AT, lead=OTHER, what="events", by="auditor"),
    a.FeedOpened(occurred_at=AT, after=7, by="auditor"),
    a.WebhookChanged(
        occurred_at=AT,
        change="disabled",
        url="https://crm.example.com/leadlog",
        by="process:webhooks",
        reason="gone",
    ),
    p.ContactRevealed(occurred_at=AT, field="phone", purpose="回访", by="chen"),
    p.PersonalDataErased(
        occurred_at=AT,
        reason="客户要求删除",
        by="process:erasure-list",
        first_erased_at=AT,
        first_erased_by="admin",
    ),
)
