"""Recording contacts with the customer (R46-R58, table 2)."""

from dataclasses import replace
from datetime import datetime

from aggregates.event import Event
from aggregates.lead.events import FollowUpRecorded, StageChanged
from aggregates.lead.guards import not_in_the_future, require_workable
from aggregates.lead.stage import require_movable
from aggregates.lead.state import CONTACTED, TO_FOLLOW_UP, UNASSIGNED, Lead
from aggregates.policy.builtin import FollowUpQuality
from aggregates.refusal import Refusal


def record_follow_up(
    lead: Lead,
    *,
    now: datetime,
    record: FollowUpRecorded,
    quality: FollowUpQuality,
) -> list[Event]:
    """Record a contact; the first connected one moves the lead to 已联系 in the same commit.

    `record.stage` is the new status that it sets (R90); a late record is never refused (A29).
    """
    require_workable(lead)
    record = replace(record, occurred_at=record.occurred_at or now)
    assert record.occurred_at is not None
    not_in_the_future(record.occurred_at, now, "occurred_at")
    if record.connected:
        require_concrete(record, quality)
    target = record.stage or (CONTACTED if record.connected and _waiting(lead) else None)
    if target is None or target == lead.stage or lead.conversion:
        return [record]
    require_movable(target)
    moved = StageChanged(occurred_at=record.occurred_at, stage=target, previous=lead.stage)
    return [record, moved]


def require_concrete(record: FollowUpRecorded, quality: FollowUpQuality) -> None:
    """Vague records are refused with what is missing (R57, A18, golden case 8)."""
    content = _words(record.content)
    phrases = map(_words, quality.vague_phrases)
    vague = content in phrases or len(content) < quality.minimum_length
    if vague:
        raise Refusal(
            "vague-follow-up",
            "say what was discussed, with the customer's feedback and an action item "
            f"(at least {quality.minimum_length} characters, not 已沟通 alone)",
            "content",
        )
    if not (_words(record.feedback) or _words(record.next_step)):
        raise Refusal("vague-follow-up", "add the customer's feedback or the next step", "feedback")


def _words(text: str | None) -> str:
    """What is said, without the spaces and punctuation that could pad it."""
    return "".join(filter(str.isalnum, text or ""))


def _waiting(lead: Lead) -> bool:
    return lead.stage in (None, UNASSIGNED, TO_FOLLOW_UP)
