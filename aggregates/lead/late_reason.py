"""Why a first follow-up was late: said by its owner, or for them by the supervisor (R42, A12)."""

from datetime import datetime

from aggregates.event import Event
from aggregates.lead.guards import require_captured
from aggregates.lead.state import Lateness, Lead
from aggregates.lead.time_events import LateReasonRecorded
from aggregates.lead.timers import LATE_REASON
from aggregates.policy.time import Response
from aggregates.refusal import Refusal


def record_late_reason(
    lead: Lead, *, now: datetime, reason: str, note: str | None, by: str | None, rules: Response
) -> list[Event]:
    """Say why the customer was not reached in time, for one of the policy's reasons.

    Asked for once the supervisor is told; it may be said as soon as the follow-up is overdue, and
    still when the lead is closed. The same again records nothing, unless it is asked for again.
    """
    require_captured(lead)
    if lead.lateness is None:
        raise Refusal(
            "not-late", "no first follow-up of this lead is overdue: there is nothing to explain"
        )
    if LATE_REASON not in lead.timers and lead.lateness == Lateness(reason, note):
        return []
    if reason not in rules.late_reasons:
        known = ", ".join(rules.late_reasons)
        raise Refusal(
            "unknown-reason", f"the reason is one of {known}: say more in the note", "reason"
        )
    return [LateReasonRecorded(occurred_at=now, reason=reason, note=note, by=by)]
