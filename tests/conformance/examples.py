"""One event of every type with every field filled: what the golden files hold the bytes of."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from aggregates.directory.events import PersonAdded, TeamAdded
from aggregates.event import Event, Meta
from aggregates.lead import events as e

AT = datetime(2024, 5, 1, 1, 15, 0, 120_000, tzinfo=UTC)
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

EXAMPLES: Sequence[Event] = (
    e.LeadCaptured(
        occurred_at=AT,
        code="XLSH20240501001",
        details=DETAILS,
        external_id="9007199254740993123",
        source_system="edtech",
    ),
    e.LeadAssigned(occurred_at=AT, owner="chen", team="east", details={"region": "华东"}),
    e.LeadReassigned(
        occurred_at=AT, owner="li", team="south", previous_owner="chen", reason="outing"
    ),
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
    PersonAdded(occurred_at=AT, name="chen", role="sales", team="east", email="chen@a.cn"),
    TeamAdded(occurred_at=AT, name="east"),
)
