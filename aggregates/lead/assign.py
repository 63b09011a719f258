"""One named person responsible, never two, never nobody (R7, R8, R31)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from aggregates.event import Event
from aggregates.lead.choice import Choice
from aggregates.lead.events import (
    AssignmentFailed,
    LeadAssigned,
    LeadHandedOver,
    LeadReassigned,
    LeadReleasedToPool,
    LeadTeamChanged,
    StageChanged,
)
from aggregates.lead.guards import require_workable
from aggregates.lead.state import TO_FOLLOW_UP, UNASSIGNED, Lead
from aggregates.policy.book import Policies
from aggregates.refusal import Refusal

NOBODY_FREE = "nobody is free"


def assign(
    lead: Lead, *, now: datetime, owner: str, team: str | None, reason: str | None
) -> list[Event]:
    """Give the lead to `owner`. The same owner and team again change nothing.

    Another team alone starts no clock again (A31); `team` None leaves the same owner's as it is.
    """
    require_workable(lead)
    if not lead.owner:
        return first_assignment(now, owner, team, lead.stage, reason=reason)
    before = lead.profile.get("team")
    if lead.owner != owner:
        return [
            LeadReassigned(
                occurred_at=now, owner=owner, team=team, previous_owner=lead.owner, reason=reason
            )
        ]
    if team in (None, before):
        return []
    return [LeadTeamChanged(occurred_at=now, team=team, previous_team=before)]


def first_assignment(
    now: datetime,
    owner: str,
    team: str | None,
    stage: str | None,
    *,
    reason: str | None = None,
    explanation: Mapping[str, Any] | None = None,
) -> list[Event]:
    """The first owner moves a waiting lead to 待跟进 in the same commit (decision 11)."""
    events: list[Event] = [
        LeadAssigned(
            occurred_at=now, owner=owner, team=team, reason=reason, explanation=explanation or {}
        )
    ]
    if stage in (UNASSIGNED, None):
        events.append(StageChanged(occurred_at=now, stage=TO_FOLLOW_UP, previous=stage))
    return events


def awaits_assignment(lead: Lead, policies: Policies) -> bool:
    """Whether the rules have to find an owner for the lead now (R31, A7, A28).

    Not for what waits in a pool or stands still, what marketing has not accepted, and what lacks
    information where the company wants that first.
    """
    screened = lead.profile.get("source") not in policies.screening.rules.sources
    return (
        policies.assignment.rules.automatic
        and lead.captured
        and not (lead.owner or lead.pool or lead.pause)
        and lead.unfinished
        and (lead.screened or (screened and lead.screened is None))
        and not (lead.missing and policies.completeness.rules.blocks_assignment)
    )


def waits_by(policies: Policies) -> tuple[object, ...]:
    """What `awaits_assignment` asks of the policies: as long as it is the same, only an event of
    its own can make a lead await somebody.
    """
    return (
        policies.assignment.rules.automatic,
        policies.screening.rules,
        policies.completeness.rules.blocks_assignment,
    )


def assign_by_rule(
    lead: Lead,
    *,
    now: datetime,
    choice: Choice,
    policies: Policies,
    supervisors: Callable[[str | None], tuple[str, ...]] = lambda _: (),
) -> list[Event]:
    """Carry a choice of the rules out, unless the lead awaits none by now.

    That nobody was found is recorded once, however often it is tried (R8), and the `supervisors` of
    the lead's team are told.
    """
    if not awaits_assignment(lead, policies):
        return []
    why = choice.explanation
    if choice.owner:
        return first_assignment(now, choice.owner, choice.team, lead.stage, explanation=why)
    if choice.pool:
        return [LeadReleasedToPool(occurred_at=now, pool=choice.pool, explanation=why)]
    if lead.explanation:
        return []
    told = supervisors(lead.profile.get("team")) or None
    return [
        AssignmentFailed(occurred_at=now, reason=NOBODY_FREE, explanation=why, supervisors=told)
    ]


def hand_over(lead: Lead, *, now: datetime, choice: Choice, reason: str | None) -> list[Event]:
    """Pass an owned lead on, to a person or to whom the rules choose (R102)."""
    require_workable(lead)
    if not lead.owner:
        raise Refusal("not-owned", "nobody owns this lead: assign it")
    if choice.owner == lead.owner:
        return []
    if choice.owner:
        return [
            LeadHandedOver(
                occurred_at=now,
                owner=choice.owner,
                team=choice.team,
                previous_owner=lead.owner,
                reason=reason,
                explanation=choice.explanation,
            )
        ]
    if choice.pool:
        return release(
            lead, now=now, pool=choice.pool, reason=reason, explanation=choice.explanation
        )
    raise Refusal("nobody-free", "the rules find nobody who could take this lead: name a person")


def release(
    lead: Lead,
    *,
    now: datetime,
    pool: str,
    reason: str | None,
    explanation: Mapping[str, Any] | None = None,
) -> list[Event]:
    """Put the lead into a pool, where it has no owner until somebody claims it (A32)."""
    require_workable(lead)
    if lead.conversion:
        raise Refusal("lead-converted", "this lead is converted: it stays with its owner")
    if lead.pool == pool:
        return []
    return [
        LeadReleasedToPool(
            occurred_at=now,
            pool=pool,
            previous_owner=lead.owner,
            reason=reason,
            explanation=explanation or {},
        )
    ]
