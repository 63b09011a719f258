"""Marketing looks at a lead before sales gets it, where the company wants that (R118, A28)."""

from datetime import datetime

from aggregates.event import Event
from aggregates.lead.close import give_up
from aggregates.lead.events import LeadScreened
from aggregates.lead.guards import require_captured, require_unconverted, require_workable
from aggregates.lead.state import Lead
from aggregates.policy.entry import Screening
from aggregates.refusal import Refusal


def screen(
    lead: Lead,
    *,
    now: datetime,
    accepted: bool,
    reason: str | None,
    note: str | None,
    rules: Screening,
) -> list[Event]:
    """Hand the lead to sales, who assign it from here, or reject it, which gives it up.

    The same verdict again changes nothing; a rejected lead that was reopened may be judged anew.
    """
    require_captured(lead)
    if lead.screened is accepted and lead.invalidated is not accepted:
        return []
    require_workable(lead)
    require_unconverted(lead)
    _require_screening(lead, rules)
    judged = LeadScreened(occurred_at=now, accepted=accepted, reason=reason, note=note)
    if accepted:
        return [judged]
    if lead.owner:
        raise Refusal("already-owned", f"{lead.owner} has this lead by now: invalidate it instead")
    if reason not in rules.rejection_reasons:
        known = ", ".join(rules.rejection_reasons)
        raise Refusal("unknown-reason", f"a lead is rejected for one of: {known}", "reason")
    return [judged, *give_up(lead, now, reason, note)]


def _require_screening(lead: Lead, rules: Screening) -> None:
    source = lead.profile.get("source")
    if source not in rules.sources:
        named = ", ".join(rules.sources) or "no source"
        raise Refusal(
            "not-screened",
            f"leads from {source or 'no source'} go to sales unscreened: the screening policy"
            f" names {named}",
        )
