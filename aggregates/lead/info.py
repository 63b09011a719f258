"""Completing and correcting what is known of a lead (R26-R30)."""

from collections.abc import Sequence
from datetime import datetime

from aggregates.event import Event
from aggregates.lead import completeness, label
from aggregates.lead.duplicates import Same, suspicions
from aggregates.lead.events import Details, InfoChanged
from aggregates.lead.guards import require_workable
from aggregates.lead.state import Lead
from aggregates.policy.book import Policies


def complete_info(
    lead: Lead,
    *,
    now: datetime,
    values: Details,
    doubted: Sequence[str] = (),
    policies: Policies,
    same: Same,
) -> list[Event]:
    """Record the values that differ; None takes one away. The rules judge the lead anew.

    `doubted` as in `Entry`. Nothing new changes nothing.
    """
    require_workable(lead)
    known = {**lead.attributes, **lead.profile}
    changed = {name: value for name, value in values.items() if known.get(name) != value}
    profile = {**lead.profile, **changed}
    new = {name: others for name, others in same.items() if name in changed}
    flag = completeness.judged(
        lead,
        profile,
        now=now,
        policy=policies.completeness,
        doubted=doubted,
        changed=changed,
    )
    if not changed:
        return flag
    return [
        InfoChanged(occurred_at=now, details=changed),
        *flag,
        *label.relabelled(lead, profile, now=now, policy=policies.labelling),
        *suspicions(lead, new, now=now, policy=policies.duplicates),
    ]
