"""The label: by rules from source and need, or by hand, which wins until cleared (R23-R25, A6)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aggregates.event import Event
from aggregates.lead.events import LabelCleared, LabelOverridden, LeadLabelled
from aggregates.lead.guards import require_captured
from aggregates.lead.state import Lead
from aggregates.policy.book import InForce
from aggregates.policy.entry import Labelling, LabelRule, Level

UNRATED: Level = "unrated"


def rule_for(rules: Labelling, source: str | None, need: str | None) -> LabelRule | None:
    """The first rule that matches; keywords stand anywhere in the need, in any case."""
    said = (need or "").casefold()

    def says(words: tuple[str, ...]) -> bool:
        return any(word.casefold() in said for word in words)

    return next(
        (
            rule
            for rule in rules.rules
            if (not rule.sources or source in rule.sources)
            and (not rule.any_of or says(rule.any_of))
            and not says(rule.none_of)
        ),
        None,
    )


def first_label(
    profile: Mapping[str, Any], *, now: datetime, policy: InForce[Labelling]
) -> LeadLabelled:
    """The label by the rules; without a match the lead is unrated."""
    rule = rule_for(policy.rules, profile.get("source"), profile.get("need"))
    return LeadLabelled(
        occurred_at=now,
        level=rule.level if rule else UNRATED,
        segment=rule.segment if rule else None,
        rule=rule.name if rule else None,
        policy=policy.ref,
    )


def relabelled(
    lead: Lead, profile: Mapping[str, Any], *, now: datetime, policy: InForce[Labelling]
) -> list[Event]:
    """The label again, if the new values change it and nobody has set it by hand."""
    label = first_label(profile, now=now, policy=policy)
    if lead.label_overridden or (label.level, label.segment) == _label(lead):
        return []
    return [label]


def override(
    lead: Lead, *, now: datetime, level: str, segment: str | None, reason: str | None
) -> list[Event]:
    """Set the label by hand. The same again changes nothing."""
    require_captured(lead)
    if lead.label_overridden and (level, segment) == _label(lead):
        return []
    return [LabelOverridden(occurred_at=now, level=level, segment=segment, reason=reason)]


def clear(
    lead: Lead, *, now: datetime, reason: str | None, policy: InForce[Labelling]
) -> list[Event]:
    """Give the label back to the rules, which label the lead at once."""
    require_captured(lead)
    if not lead.label_overridden:
        return []
    label = first_label(lead.profile, now=now, policy=policy)
    return [LabelCleared(occurred_at=now, reason=reason), label]


def _label(lead: Lead) -> tuple[str | None, str | None]:
    return lead.profile.get("level"), lead.profile.get("segment")
