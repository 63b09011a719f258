"""Files that belong to a lead, and people whom it is shown to (R54-R56, A16, A17)."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID, uuid5

from aggregates.event import Event
from aggregates.lead.attachment_name import find_fault
from aggregates.lead.events import AttachmentAdded, LeadShared
from aggregates.lead.guards import require_captured, require_known
from aggregates.lead.state import Lead
from aggregates.policy.work import AttachmentRules
from aggregates.refusal import Refusal


def attachment_id(lead: UUID, name: str, sha256: str) -> UUID:
    """The same content under the same name is the same attachment of a lead."""
    return uuid5(lead, f"{sha256} {name}")


def attach(
    lead: Lead, *, now: datetime, today: date, file: AttachmentAdded, rules: AttachmentRules
) -> list[Event]:
    """Add a file whose content is kept already; one that is there changes nothing.

    `today` is the company's date. A bad name is refused with one that would do, or stored with a
    warning, as the policy says.
    """
    require_captured(lead)
    if file.attachment in lead.attachments:
        return []
    require_acceptable(file, rules)
    if len(lead.attachments) >= rules.max_per_lead:
        why = f"a lead has at most {rules.max_per_lead} attachments"
        raise Refusal("too-many-attachments", why)
    fault = find_fault(file.name or "", lead.profile.get("customer"), today)
    if fault is None:
        return [replace(file, occurred_at=now)]
    said = f"{fault.why}: call it {fault.suggestion}"
    if rules.verdict == "reject":
        raise Refusal("attachment-name", said, "name", fault.suggestion)
    return [replace(file, occurred_at=now, warning=said)]


def require_acceptable(file: AttachmentAdded, rules: AttachmentRules) -> None:
    """Size and type are as the policy allows."""
    if file.size > rules.max_bytes:
        raise Refusal("attachment-too-large", f"an attachment has at most {rules.max_bytes} bytes")
    if not file.size:
        raise Refusal("attachment-empty", "the file is empty: send its content as the body")
    if file.content_type not in rules.content_types:
        accepted = ", ".join(rules.content_types)
        why = f"this is {file.content_type}; attachments are {accepted}"
        raise Refusal("attachment-type", why)


def share(
    lead: Lead, *, now: datetime, person: str, reason: str | None, people: Collection[str]
) -> list[Event]:
    """Let a person of the directory see the lead; once more changes nothing (R56, A17)."""
    require_captured(lead)
    require_known(person, people, "person")
    if person == lead.owner or person in lead.shared_with:
        return []
    return [LeadShared(occurred_at=now, person=person, reason=reason)]
