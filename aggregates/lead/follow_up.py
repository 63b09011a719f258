"""Recording contacts with the customer (R46-R58, table 2)."""

from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from aggregates.event import Event
from aggregates.lead.events import FollowUpRecorded
from aggregates.lead.guards import not_in_the_future, require_known, require_workable
from aggregates.lead.stage import enter, require_move
from aggregates.lead.state import CONTACTED, TO_FOLLOW_UP, UNASSIGNED, Lead
from aggregates.policy.book import InForce
from aggregates.policy.work import FollowUpQuality, Pipeline
from aggregates.refusal import Refusal

CONTENT, ANSWER = "content", "feedback or next_step"
_WHAT_TO_ADD = {
    CONTENT: "what was discussed (content: at least {} characters, and more than 已沟通 alone)",
    ANSWER: "the customer's feedback or the next step",
}


def record_follow_up(
    lead: Lead,
    *,
    now: datetime,
    record: FollowUpRecorded,
    quality: InForce[FollowUpQuality],
    pipeline: Pipeline,
    people: Collection[str] = (),
) -> list[Event]:
    """Record a contact; the first connected one moves the lead to 已联系 in the same commit.

    `record.stage` is the new status that it sets (R90); what it set is stored on it. A late record
    is flagged, never refused (A29, A30). `record.by` is one of `people`, if any are known (R85).
    """
    require_workable(lead)
    at = record.occurred_at or now
    not_in_the_future(at, now, "occurred_at")
    require_known(record.by, people, "by")
    record = replace(record, occurred_at=at, quality=judge(record, at, now, quality))
    if quality.rules.verdict == "reject":
        require_concrete(record, quality.rules)
    target = record.stage or (CONTACTED if record.connected and _waiting(lead) else None)
    if target is None or target == lead.stage:
        return [record]
    if record.stage:
        _require_settable(lead, record.stage, pipeline)
    return [replace(record, stage=target), enter(lead, target, at)]


def judge(
    record: FollowUpRecorded, at: datetime, now: datetime, quality: InForce[FollowUpQuality]
) -> dict[str, Any]:
    """What the rules find in a contact at `at`: `{policy, verdict, missing, late}` (R57, A18, A30).

    `verdict` is concrete, vague, or attempt where nobody was reached; `missing` names fields.
    """
    missing = list(_missing(record, quality.rules)) if record.connected else []
    verdict = "vague" if missing else "concrete"
    limit = timedelta(hours=quality.rules.late_recording_after_hours)
    return {
        "policy": asdict(quality.ref),
        "verdict": verdict if record.connected else "attempt",
        "missing": missing,
        "late": now - at > limit,
    }


def require_concrete(record: FollowUpRecorded, rules: FollowUpQuality) -> None:
    """Vague records are refused with everything that is missing (R57, golden case 8)."""
    missing = record.quality["missing"]
    if not missing:
        return
    add = " and ".join(_WHAT_TO_ADD[name] for name in missing).format(rules.minimum_length)
    raise Refusal("vague-follow-up", f"add {add}", missing[0].split()[0])


def _missing(record: FollowUpRecorded, rules: FollowUpQuality) -> Iterator[str]:
    phrases = {"", *map(_words, rules.vague_phrases)}
    content = _words(record.content)
    if content in phrases or len(content) < rules.minimum_length:
        yield CONTENT
    if rules.feedback_or_next_step and phrases.issuperset(
        (_words(record.feedback), _words(record.next_step))
    ):
        yield ANSWER


def _require_settable(lead: Lead, stage: str, pipeline: Pipeline) -> None:
    """A record sets a stage as a move does; a converted lead keeps its own (A15)."""
    if lead.conversion:
        why = f"this lead is converted and stays in {lead.stage}: reverse the conversion first"
        raise Refusal("lead-converted", why, "stage")
    require_move(lead.stage, stage, pipeline)


def _words(text: str | None) -> str:
    """What is said, without the spaces and punctuation that could pad it."""
    return "".join(filter(str.isalnum, text or ""))


def _waiting(lead: Lead) -> bool:
    return not lead.conversion and lead.stage in (None, UNASSIGNED, TO_FOLLOW_UP)
