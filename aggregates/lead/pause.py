"""暂缓: a lead stands still for a reason, and no clock of it runs (R107, R108, A26)."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from aggregates.event import Event
from aggregates.lead.events import LeadPaused, LeadResumed
from aggregates.lead.guards import require_captured, require_unconverted, require_workable
from aggregates.lead.state import Lead
from aggregates.policy.work import PauseRules
from aggregates.refusal import Refusal
from aggregates.values import local_time


def pause(
    lead: Lead,
    *,
    now: datetime,
    zone: ZoneInfo,
    reason: str,
    resume_at: datetime | None,
    rules: PauseRules,
) -> list[Event]:
    """Stand still until `resume_at`, or as long as the policy allows, counted from the beginning.

    Another reason or end changes the pause that stands; the same ones, or no end, leave it.
    """
    require_workable(lead)
    require_unconverted(lead)
    standing = lead.pause
    until = resume_at or (standing and standing.resume_at)
    if standing and (standing.reason, standing.resume_at) == (reason, until):
        return []
    last = ((standing and standing.since) or now) + timedelta(days=rules.max_days)
    if until and until <= now:
        raise Refusal("not-in-the-future", "a paused lead is resumed later than now", "resume_at")
    if until and until > last:
        longest = f"a lead is paused for at most {rules.max_days} days"
        by = local_time(last, zone)
        raise Refusal("pause-too-long", f"{longest}: resume it by {by}", "resume_at")
    return [LeadPaused(occurred_at=now, reason=reason, resume_at=until or last)]


def resume(lead: Lead, *, now: datetime, reason: str | None) -> list[Event]:
    """Let the clocks run again. A lead that is not paused stays as it is."""
    require_captured(lead)
    return end_of_pause(lead, now, reason)


def end_of_pause(lead: Lead, now: datetime, reason: str | None = None) -> list[Event]:
    """What ends the pause, if there is one: a lead that is won or given up is not paused."""
    return [LeadResumed(occurred_at=now, reason=reason)] if lead.pause else []
