"""待补充: a flag that rules set and a person may set, no stage, in nobody's way (R26, R27, A7)."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from aggregates.event import Event
from aggregates.lead.events import InfoCompleted, InfoMarkedIncomplete
from aggregates.lead.state import Lead
from aggregates.policy.book import InForce
from aggregates.policy.entry import Completeness

OR = "|"
"""Between fields of which one is enough, such as `phone|email`."""


def missing(profile: Mapping[str, Any], rules: Completeness) -> tuple[str, ...]:
    """The required fields that have no value."""
    lacking = [name for name in rules.required if not profile.get(name)]
    if rules.contact_details and not any(map(profile.get, rules.contact_details)):
        lacking.append(OR.join(rules.contact_details))
    return tuple(lacking)


def judged(
    lead: Lead,
    profile: Mapping[str, Any],
    *,
    now: datetime,
    policy: InForce[Completeness],
    doubted: Collection[str] = (),
    changed: Collection[str] = (),
) -> list[Event]:
    """What becomes of the flag when the lead's values are those of `profile`.

    `doubted` are fields that a person says lack something though they have a value; they are
    missing until they are among the `changed`.
    """
    by_rules = missing(profile, policy.rules)
    still = (m for m in lead.missing if lead.profile.get(m) and m not in changed)
    lacking = tuple(dict.fromkeys((*by_rules, *still, *doubted)))
    if lacking == lead.missing:
        return []
    if lacking:
        return [InfoMarkedIncomplete(occurred_at=now, missing=lacking, policy=policy.ref)]
    return [InfoCompleted(occurred_at=now, policy=policy.ref)]
