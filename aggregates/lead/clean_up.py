"""The month-end clean-up: a lead of no use is proposed, its supervisor decides (R100, R101, A25).

Nothing is ever deleted: a confirmed proposal makes the lead invalid, and that can be reopened.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from aggregates.event import Event
from aggregates.lead.close import give_up
from aggregates.lead.guards import require_captured, require_unconverted
from aggregates.lead.state import Lead
from aggregates.lead.time_events import InvalidationDismissed, LeadInvalidationProposed
from aggregates.policy.book import InForce
from aggregates.policy.work import CleanUp
from aggregates.refusal import Refusal

WRONG_CONTACT, REFUSAL, NO_NEED = "联系方式错误", "客户明确拒绝", "无需求"


def propose(
    lead: Lead,
    *,
    at: datetime,
    month: str,
    rules: InForce[CleanUp],
    supervisors: tuple[str, ...] = (),
    review: UUID | None = None,
) -> list[Event]:
    """Propose to give the lead up, for what was known of it at `at`, the month's end.

    Nothing is proposed where a proposal stands, and of a lead that was followed up since.
    """
    quiet_since = lead.effort.quiet_since
    is_open = lead.captured and lead.unfinished
    if not is_open or lead.pause or lead.proposed_for or not quiet_since or quiet_since >= at:
        return []
    reason = reason_to_give_up(lead, at, rules.rules)
    if reason is None:
        return []
    return [
        LeadInvalidationProposed(
            occurred_at=at,
            reason=reason,
            month=month,
            evidence=_evidence(lead, reason),
            supervisors=supervisors,
            review=review,
            policy=rules.ref,
        )
    ]


def reason_to_give_up(lead: Lead, at: datetime, rules: CleanUp) -> str | None:
    """The first reason that holds at `at`, of those that the policy has."""
    effort, quiet_since = lead.effort, lead.effort.quiet_since
    silent = quiet_since is not None and quiet_since + timedelta(days=rules.silent_days) <= at
    wrong = effort.wrong_numbers >= rules.wrong_number_attempts and not effort.connected
    found = {WRONG_CONTACT: wrong, REFUSAL: effort.refused, NO_NEED: silent}
    return next(
        (reason for reason, holds in found.items() if holds and reason in rules.reasons), None
    )


def _evidence(lead: Lead, reason: str) -> Mapping[str, Any]:
    """Counts and instants (RFC 3339, UTC) by name."""
    effort = lead.effort
    instants = {
        "last_follow_up_at": effort.last_at,
        "refused_at": effort.connected_at if reason == REFUSAL else None,
        "quiet_since": effort.quiet_since if reason == NO_NEED else None,
    }
    said = {name: at.isoformat() for name, at in instants.items() if at}
    return {"follow_ups": lead.follow_ups, "wrong_numbers": effort.wrong_numbers, **said}


def confirm(lead: Lead, *, now: datetime, note: str | None) -> list[Event]:
    """Give the lead up for the proposed reason. One that is given up already stays so."""
    require_captured(lead)
    require_unconverted(lead)
    if lead.invalidated:
        return []
    return give_up(lead, now, _require_proposed(lead), note)


def dismiss(lead: Lead, *, now: datetime, reason: str | None) -> list[Event]:
    """Keep the lead: what speaks against it is counted anew from now on."""
    require_captured(lead)
    _require_proposed(lead)
    return [InvalidationDismissed(occurred_at=now, reason=reason)]


def _require_proposed(lead: Lead) -> str:
    if lead.proposed_for is None:
        raise Refusal("not-proposed", "nobody proposes to give this lead up (any more)")
    return lead.proposed_for
